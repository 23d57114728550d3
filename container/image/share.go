// SPDX-License-Identifier: MIT

package image

// Shared is what two images have in common. Layers are the same where their blobs
// are (by digest: what a machine that has one image need not pull of the other); a
// layer that an image holds twice counts once. Bytes are those of layers alone,
// compressed as they are pulled. With A and B the sets of layers and |·| their
// number or the sum of their bytes:
type Shared struct {
	// Layers and Bytes are those in both, |A∩B|.
	Layers int   `json:"layers"`
	Bytes  int64 `json:"bytes"`
	// JaccardLayers and JaccardBytes are |A∩B| / |A∪B|; 0 where both are empty.
	JaccardLayers float64 `json:"jaccard_layers"`
	JaccardBytes  float64 `json:"jaccard_bytes"`
	// ShareBytes is 2|A∩B| / (|A|+|B|) over bytes, the share of both images' bytes
	// that are shared layers (the Sørensen-Dice coefficient).
	ShareBytes float64 `json:"share_bytes"`
}

// Share compares two images.
func Share(a, b Image) Shared {
	inA, bytesA := layerSet(a)
	inB, bytesB := layerSet(b)
	var s Shared
	for digest, size := range inA {
		if _, ok := inB[digest]; ok {
			s.Layers++
			s.Bytes += size
		}
	}
	s.JaccardLayers = ratio(float64(s.Layers), float64(len(inA)+len(inB)-s.Layers))
	s.JaccardBytes = ratio(float64(s.Bytes), float64(bytesA+bytesB-s.Bytes))
	s.ShareBytes = ratio(2*float64(s.Bytes), float64(bytesA+bytesB))
	return s
}

// SharedSet is what a set of images has in common. The means are over all pairs of
// different images (n(n-1)/2 of them, each of the same weight), and 0 of fewer than
// two images.
type SharedSet struct {
	Images            int     `json:"images"`
	Pairs             int     `json:"pairs"`
	MeanJaccardLayers float64 `json:"mean_jaccard_layers"`
	MeanJaccardBytes  float64 `json:"mean_jaccard_bytes"`
	MeanShareBytes    float64 `json:"mean_share_bytes"`
	// Apart are the bytes of the layers of each image by itself, summed; Together
	// are those of all different layers, once.
	Apart    int64 `json:"apart_bytes"`
	Together int64 `json:"together_bytes"`
}

// ShareAll compares all images of a set with one another. An image that is given
// twice, with two names, counts once.
func ShareAll(images []Image) SharedSet {
	var s SharedSet
	var distinct []Image
	seen := map[string]bool{}
	all := map[string]bool{}
	for _, img := range images {
		if seen[img.Digest] {
			continue
		}
		seen[img.Digest] = true
		distinct = append(distinct, img)
		layers, n := layerSet(img)
		s.Apart += n
		for digest, size := range layers {
			if !all[digest] {
				all[digest] = true
				s.Together += size
			}
		}
	}
	s.Images = len(distinct)
	for i, a := range distinct {
		for _, b := range distinct[:i] {
			p := Share(a, b)
			s.Pairs++
			s.MeanJaccardLayers += p.JaccardLayers
			s.MeanJaccardBytes += p.JaccardBytes
			s.MeanShareBytes += p.ShareBytes
		}
	}
	n := float64(s.Pairs)
	s.MeanJaccardLayers = ratio(s.MeanJaccardLayers, n)
	s.MeanJaccardBytes = ratio(s.MeanJaccardBytes, n)
	s.MeanShareBytes = ratio(s.MeanShareBytes, n)
	return s
}

func layerSet(img Image) (sizes map[string]int64, total int64) {
	sizes = map[string]int64{}
	for _, l := range img.Layers {
		if _, ok := sizes[l.Digest]; !ok {
			sizes[l.Digest] = l.Size
			total += l.Size
		}
	}
	return sizes, total
}

func ratio(a, b float64) float64 {
	if b == 0 {
		return 0
	}
	return a / b
}
