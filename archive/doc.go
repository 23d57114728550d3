// SPDX-License-Identifier: MIT

// Package archive makes a run directory into a bundle, an OCI artifact, and a bundle
// into a run directory again.
//
// The model: a bundle is a manifest of the type [ArtifactType] with a config, a
// [Config], and layers that oras and others can fetch too:
//
//	[ConfigType]       the resolved ensemble, and a summary of the run
//	[JournalType]      journal.jsonl, compressed with zstd
//	[RecordsType]      records.jsonl, compressed with zstd: derived, for those who want no more
//	[EnvironmentType]  environment.json
//	[FilesType]        all other files in archives of some 32 MiB: jobs/ID/ATTEMPT/stdout …
//
// What Kubernetes told of a run is an artifact of its own, [KubernetesType], whose subject
// is the bundle.
//
// Annotations of the manifest repeat what one searches for. What is not in it: the
// directories that jobs worked in (work/), whose files that were asked for are in files/,
// and locks.
//
// The steps:
//
//	store, err := image.Open(dir)
//	b, err := archive.Pack(ctx, store, "name:1", rundir, ensemble)
//	digest, err := store.PushArtifact(ctx, b, "registry.example/lab/runs:1", image.PushOptions{})
//
//	b, err := archive.Fetch(ctx, store, "registry.example/lab/runs:1", archive.Limits{}, image.PushOptions{})
//	err = archive.Unpack(ctx, store, b, "runs/again", archive.Limits{})
//
// Promises: the same run gives the same bytes. A run that a driver still has is not
// packed. A directory is unpacked as a whole or not at all. Bundles may be hostile: no
// file is written outside the directory, no link is made, nothing is larger than it says,
// and more than the limits allow is refused before it is fetched.
package archive
