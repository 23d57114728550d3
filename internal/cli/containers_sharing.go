// SPDX-License-Identifier: MIT

package cli

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"runtime"
	"strconv"
	"strings"

	"github.com/converged-computing/ensemble/container/image"
	"github.com/spf13/cobra"
)

func newContainersSharing(e *env) *cobra.Command {
	var format string
	var sameMPI, pairs bool
	c := &cobra.Command{
		Use:   "sharing [POINT...]",
		Short: "Show what built images have in common",
		Long: `Show what built images have in common: the layers whose blobs are the same.

Of two images, layers is Jaccard's index over layers, the shared ones over all
different ones; bytes the same over their bytes, as they are pulled; and share what
part of the bytes of both is in shared layers. Over several images the mean over all
pairs counts.`,
		RunE: func(_ *cobra.Command, args []string) error {
			m, err := e.matrix()
			if err != nil {
				return err
			}
			points, err := m.Select(args...)
			if err != nil {
				return input(err)
			}
			store, err := openImages()
			if err != nil {
				return err
			}
			sets := map[string][]image.Image{}
			var order []string
			for _, p := range points {
				build, err := store.Build(p)
				if err != nil {
					return err
				}
				if build == nil {
					continue
				}
				img, err := store.Images.Image(build.Digest)
				if err != nil {
					return err
				}
				img.Name = p.Name()
				set := "all"
				if sameMPI {
					set = p.Base.Name + " " + p.MPI.Name
				}
				if sets[set] == nil {
					order = append(order, set)
				}
				sets[set] = append(sets[set], img)
			}
			if len(order) == 0 {
				return input(errors.New(`none of these is built; see "ensemble containers list"`))
			}
			return sharingListing(order, sets, pairs).write(e.stdout, format)
		},
	}
	c.Flags().BoolVar(&sameMPI, "by-mpi", false, "compare images of one base and one MPI with one another only")
	c.Flags().BoolVar(&pairs, "pairs", false, "show every pair")
	outputFlag(c, &format)
	return c
}

func sharingListing(order []string, sets map[string][]image.Image, pairs bool) *listing {
	type result struct {
		Set string `json:"set"`
		image.SharedSet
	}
	l := &listing{header: []string{"images", "number", "apart", "together", "layers", "bytes", "share"}}
	if pairs {
		l.header = []string{"images", "image", "and", "shared", "layers", "bytes", "share"}
	}
	var all []result
	var bases []string
	means := map[string]*image.SharedSet{} // by base: sums over the pairs of one MPI
	number := func(x float64) string { return strconv.FormatFloat(x, 'f', 2, 64) }
	for _, name := range order {
		s := image.ShareAll(sets[name])
		all = append(all, result{name, s})
		if base, _, ok := strings.Cut(name, " "); ok && s.Pairs > 0 {
			m := means[base]
			if m == nil {
				m = &image.SharedSet{}
				means[base] = m
				bases = append(bases, base)
			}
			n := float64(s.Pairs)
			m.Images, m.Pairs = m.Images+s.Images, m.Pairs+s.Pairs
			m.MeanJaccardLayers += n * s.MeanJaccardLayers
			m.MeanJaccardBytes += n * s.MeanJaccardBytes
			m.MeanShareBytes += n * s.MeanShareBytes
		}
		if !pairs {
			l.rows = append(l.rows, []string{name, strconv.Itoa(len(sets[name])), bytesText(s.Apart), bytesText(s.Together),
				number(s.MeanJaccardLayers), number(s.MeanJaccardBytes), number(s.MeanShareBytes)})
			continue
		}
		for i, a := range sets[name] {
			for _, b := range sets[name][i+1:] {
				p := image.Share(a, b)
				l.rows = append(l.rows, []string{name, a.Name, b.Name, bytesText(p.Bytes), number(p.JaccardLayers), number(p.JaccardBytes), number(p.ShareBytes)})
			}
		}
	}
	l.value = all
	if !pairs {
		for _, base := range bases {
			m := means[base]
			n := float64(m.Pairs)
			l.rows = append(l.rows, []string{base + ", all pairs of one MPI", strconv.Itoa(m.Images), "", "",
				number(m.MeanJaccardLayers / n), number(m.MeanJaccardBytes / n), number(m.MeanShareBytes / n)})
		}
	}
	return l
}

func newContainersDummy(e *env) *cobra.Command {
	var size, name string
	var layers, shared int
	var seed uint64
	c := &cobra.Command{
		Use:   "dummy NAME:TAG",
		Short: "Make an image of a wished size, to study pulls",
		Long: `Make an image of a wished size and number of layers, to study pulls.

Its content is random: it cannot be compressed, and two images share no layer unless
they are told to. The same options make the same image. It holds no program.`,
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			bytes, err := parseSize(size)
			if err != nil {
				return input(fmt.Errorf("--size: %w", err))
			}
			if name = fmt.Sprintf("dummy:%s-%d-%d-%d", size, layers, shared, seed); len(args) > 0 {
				name = args[0]
			}
			store, err := openImages()
			if err != nil {
				return err
			}
			line := e.status(name)
			img, err := store.Images.Dummy(c.Context(), name, image.DummyOptions{Size: bytes, Layers: layers, Seed: seed, Shared: shared, Architecture: runtime.GOARCH})
			line.clear()
			if err != nil {
				return err
			}
			fmt.Fprintf(e.stdout, "%s  %d layers  %s  %s\n", img.Name, len(img.Layers), bytesText(img.Size), img.Digest)
			return nil
		},
	}
	c.Flags().StringVar(&size, "size", "100MB", "what a pull moves, as 2GiB or 500MB")
	c.Flags().IntVar(&layers, "layers", 1, "the number of layers, all of the same size")
	c.Flags().Uint64Var(&seed, "seed", 1, "what makes the content another")
	c.Flags().IntVar(&shared, "shared", 0, "how many of the layers are the same for every seed")
	return c
}

var sizeForm = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?)(B|kB|MB|GB|KiB|MiB|GiB)$`)

// sizeUnits are in bytes, of SI and IEC.
var sizeUnits = map[string]float64{"B": 1, "kB": 1e3, "MB": 1e6, "GB": 1e9, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}

// parseSize reads a size in bytes.
func parseSize(text string) (int64, error) {
	m := sizeForm.FindStringSubmatch(text)
	if m == nil {
		return 0, fmt.Errorf("got %q, want a number and B, kB, MB, GB, KiB, MiB or GiB, as 2GiB", text)
	}
	n, err := strconv.ParseFloat(m[1], 64)
	if err != nil || n*sizeUnits[m[2]] > math.MaxInt64/2 {
		return 0, fmt.Errorf("got %q, a size that no image has", text)
	}
	return int64(n * sizeUnits[m[2]]), nil
}
