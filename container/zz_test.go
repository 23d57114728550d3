package container

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/converged-computing/ensemble/catalog"
)

func TestZZ(t *testing.T) {
	c, err := catalog.Load("/tmp/cat")
	if err != nil {
		t.Fatal(err)
	}
	m, err := NewMatrix(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range m.Points {
		t.Log(p.Name())
		bases := map[string]string{"debian12": "localhost/ensemble-base:debian12", "debian13": "localhost/ensemble-base:debian13"}
		ctx, err := Render(&p, RenderOptions{Bases: bases})
		if err != nil {
			t.Fatal(err)
		}
		for name, b := range ctx.Files {
			f := filepath.Join("/tmp/ctx", p.Name(), name)
			os.MkdirAll(filepath.Dir(f), 0o755)
			os.WriteFile(f, b, 0o644)
		}
	}
	for _, x := range m.Excluded {
		t.Log(x)
	}
}
