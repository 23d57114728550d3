// SPDX-License-Identifier: MIT

package image

// Shared is what two images have in common: the layers whose blobs are the same.
type Shared struct {
	A      string `json:"a"`
	B      string `json:"b"`
	Layers int    `json:"layers"`
	// Bytes are those of the shared layers, compressed as they are pulled.
	Bytes int64 `json:"bytes"`
	// LayerJaccard is shared layers over all different layers of both, ByteJaccard the
	// same of their bytes (Jaccard's index, the intersection over the union).
	LayerJaccard float64 `json:"layer_jaccard"`
	ByteJaccard  float64 `json:"byte_jaccard"`
	// ByteShare is what part of the bytes of the two images is in shared layers: twice
	// the shared bytes over the sum of both (Dice's coefficient).
	ByteShare float64 `json:"byte_share"`
}

// Share compares the layers of two images. A layer that an image has twice counts once.
func Share(a, b Image) Shared {
	s := Shared{A: a.Name, B: b.Name}
	inA, inB := blobs(a), blobs(b)
	var bytesA, bytesB int64
	for digest, size := range inA {
		bytesA += size
		if _, ok := inB[digest]; ok {
			s.Layers++
			s.Bytes += size
		}
	}
	for _, size := range inB {
		bytesB += size
	}
	s.LayerJaccard = ratio(float64(s.Layers), float64(len(inA)+len(inB)-s.Layers))
	s.ByteJaccard = ratio(float64(s.Bytes), float64(bytesA+bytesB-s.Bytes))
	s.ByteShare = ratio(2*float64(s.Bytes), float64(bytesA+bytesB))
	return s
}

func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}

// blobs are the layers of an image by digest, with their sizes.
func blobs(i Image) map[string]int64 {
	all := map[string]int64{}
	for _, l := range i.Layers {
		all[l.Digest] = l.Size
	}
	return all
}

// Sharing is what a set of images has in common.
type Sharing struct {
	Images int `json:"images"`
	// Pairs are all pairs, in the order of the images.
	Pairs []Shared `json:"pairs"`
	// LayerJaccard, ByteJaccard and ByteShare are means over the pairs.
	LayerJaccard float64 `json:"layer_jaccard"`
	ByteJaccard  float64 `json:"byte_jaccard"`
	ByteShare    float64 `json:"byte_share"`
	// Apart is what the layers of all images take if each is stored by itself, Together
	// what they take where each layer is stored once; in bytes.
	Apart    int64 `json:"apart"`
	Together int64 `json:"together"`
}

// ShareAll compares each image with each.
func ShareAll(images []Image) Sharing {
	s := Sharing{Images: len(images)}
	all := map[string]int64{}
	for i, a := range images {
		for digest, size := range blobs(a) {
			s.Apart += size
			all[digest] = size
		}
		for _, b := range images[i+1:] {
			p := Share(a, b)
			s.Pairs = append(s.Pairs, p)
			s.LayerJaccard += p.LayerJaccard
			s.ByteJaccard += p.ByteJaccard
			s.ByteShare += p.ByteShare
		}
	}
	for _, size := range all {
		s.Together += size
	}
	n := float64(len(s.Pairs))
	s.LayerJaccard, s.ByteJaccard, s.ByteShare = ratio(s.LayerJaccard, n), ratio(s.ByteJaccard, n), ratio(s.ByteShare, n)
	return s
}
