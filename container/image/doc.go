// SPDX-License-Identifier: MIT

// Package image keeps container images and other OCI artifacts in a directory, reads
// what can be known of images without a container engine, makes some, and speaks with
// registries.
//
// The model: a [Store] is one OCI image layout: oci-layout, index.json, and blobs
// that are named by their digests. index.json gives manifests names, by the
// annotation org.opencontainers.image.ref.name. buildah and podman write and read
// the same directory (push NAME oci:DIR:NAME; pull wants DIR in lower case). An [Image] is a manifest, its
// config and its layers, for one platform; Size is what a pull of all of it moves. An
// [Artifact] is a manifest that is no image: a config and blobs of any type.
//
// The steps:
//
//	s, err := image.Open(dir)
//	img, err := s.ImportRoot(ctx, tar, "base:mine", image.RootOptions{Architecture: "amd64"})
//	img, err := s.Dummy(ctx, "dummy:1g", image.DummyOptions{Size: 1 << 30, Layers: 8})
//	b, err := s.ReadFile(ctx, img, "/etc/os-release")
//	share := image.Share(a, b)
//	digest, err := s.Push(ctx, img, "registry.example/lab/lammps:1", image.PushOptions{})
//
// Promises: every blob is checked against its digest when it is read or written,
// except where only its presence is asked for (its size is checked then). A blob
// or an index.json is there as a whole or not at all. Several processes that use
// this package may change one store at once; around another program that does,
// hold [Store.Lock]. Reading needs no lock. What comes out of an image or a
// registry is limited and checked before it is believed: nothing in a layer is
// ever written to the file system, and links in it lead to its own files only.
//
// Not here: images for several platforms under one name (the one for this machine
// or the architecture asked for is taken), digests other than sha256, and layers
// compressed with anything but gzip and zstd.
package image
