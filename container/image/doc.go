// SPDX-License-Identifier: MIT

// Package image keeps container images and tells what is known of them, without any
// container engine.
//
// The model: a [Store] is one OCI image layout, a folder in which blobs are kept by
// their digest and images have names. Engines write images into it and read them from
// it; images share the layers that are the same. What an image is said to be is taken
// from its manifest and its configuration, and single files from its layers.
//
// The steps: [Open] a store; have an engine write images into it, or [Store.Import] one,
// or make a [Dummy]; [Share] tells what two have in common; [Store.Push] brings one to a
// registry and looks whether it arrived.
package image
