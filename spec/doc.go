// SPDX-License-Identifier: MIT

// Package spec holds every kind of file: its types, a strict decoder, defaults
// and JSON Schemas.
//
// The model: a file is one YAML document with apiVersion, kind, metadata and
// spec. The Go types are the only definition of a kind; its JSON Schema is
// generated from them (go generate) and published beside them in schema/.
//
// The steps of [Decode]:
//
//  1. the YAML parser gives a tree in which every node knows its line;
//  2. the tree becomes plain values and a table of positions by path;
//  3. the schema of the kind finds unknown fields, wrong types and values out
//     of range, all of them at once;
//  4. what is left becomes the Go type, gets its defaults, and Check finds what
//     a schema cannot express.
//
// Every fault names file, line, column, field and what would be right. Faults
// that only a later stage can see, such as an application that no catalog has,
// get their position from the same [Document].
package spec

//go:generate go run ./internal/schemagen
