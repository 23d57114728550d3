// SPDX-License-Identifier: MIT

// Command schemagen writes the JSON Schema of every kind of file from the Go
// types and their comments. It runs in the folder of package spec.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"

	"github.com/converged-computing/ensemble/spec"
	"github.com/invopop/jsonschema"
)

func main() {
	out := flag.String("out", "schema", "the folder to write to")
	flag.Parse()
	if err := run(*out); err != nil {
		fmt.Fprintln(os.Stderr, "schemagen:", err)
		os.Exit(1)
	}
}

func run(dir string) error {
	r := &jsonschema.Reflector{ExpandedStruct: true}
	if err := r.AddGoComments("github.com/converged-computing/ensemble/spec", "./", jsonschema.WithFullComment()); err != nil {
		return fmt.Errorf("reading comments: %w", err)
	}
	for name, object := range map[string]any{
		"application": &spec.Application{},
		"study":       &spec.Study{},
		"ensemble":    &spec.Ensemble{},
		"environment": &spec.Environment{},
		"parts":       &spec.Parts{},
		"lock":        &spec.Lock{},
	} {
		s := r.Reflect(object)
		s.ID = jsonschema.ID("https://" + spec.APIVersion + "/" + name + ".json")
		b, err := json.MarshalIndent(s, "", "  ")
		if err != nil {
			return fmt.Errorf("encoding the schema of %s: %w", name, err)
		}
		if err := os.WriteFile(filepath.Join(dir, name+".json"), append(b, '\n'), 0o644); err != nil {
			return err
		}
	}
	return nil
}
