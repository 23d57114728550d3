// SPDX-License-Identifier: MIT

package study

import (
	"context"
	"encoding/binary"
	"math"
	"math/rand/v2"
	"strconv"

	"github.com/converged-computing/ensemble/spec"
	"github.com/converged-computing/ensemble/study/sample"
)

// patience is how many points of the unit cube are tried for each one that is
// asked for, where rules remove some or several have the same levels; there are
// minTries at least. A Latin hypercube, which is in memory as a whole, has no
// more than maxRows.
const (
	patience = 64
	minTries = 1 << 16
)

// A cube turns points of the unit cube into points of a sweep.
type cube struct {
	*sweep
	checker *checker
	dims    []int // factors, by dimension
	row     []int
	seen    map[string]bool
}

// drawUnits samples by points of the unit cube: in every environment the same
// ones where rules allow it.
func (s *sweep) drawUnits(ctx context.Context) error {
	return s.eachEnvironment(func(pin int) error {
		c := &cube{sweep: s, checker: newChecker(s), row: make([]int, len(s.factors))}
		for f, x := range s.factors {
			if pinned := pin >= 0 && f == s.places[slotEnvironment].factor; pinned {
				c.row[f] = pin
			} else if x.n > 1 || x.interval != nil {
				c.dims = append(c.dims, f)
			}
		}
		count := s.spec.Sampler.Count
		if s.spec.Sampler.Kind == spec.SampleLatinHypercube {
			return c.latin(ctx, count)
		}
		return c.stream(ctx, count)
	})
}

// latin draws a Latin hypercube of the size asked for. Where rules remove some
// of it, or points coincide, it takes the first ones that are left of a larger
// one.
func (c *cube) latin(ctx context.Context, count int) error {
	start := c.mark()
	for n := count; ; n *= 2 {
		c.rewind(start)
		found := 0
		for i, u := range sample.LatinHypercube(n, len(c.dims), c.seed) {
			if i&0xfff == 0 && ctx.Err() != nil {
				return ctx.Err()
			}
			ok, err := c.take(u)
			if err != nil {
				return err
			}
			if ok {
				found++
			}
			if found == count {
				return nil
			}
		}
		if 2*n > min(max(minTries, patience*count), maxRows) || len(c.dims) == 0 {
			return nil
		}
	}
}

// stream takes points of Sobol' sequence, or random ones, until there are
// enough.
func (c *cube) stream(ctx context.Context, count int) error {
	next := func(yield func([]float64) bool) {
		r := rand.NewPCG(c.seed, streamCube)
		u := make([]float64, len(c.dims))
		for {
			for i := range u {
				u[i] = float64(r.Uint64()>>11) / (1 << 53)
			}
			if !yield(u) {
				return
			}
		}
	}
	if c.spec.Sampler.Kind == spec.SampleSobol {
		if len(c.dims) > sample.MaxSobolDims {
			return faultf(c.at.Key("sampler"), "the sweep has %d axes, and sobol takes %d at most; want latin-hypercube or random", len(c.dims), sample.MaxSobolDims)
		}
		points, err := sample.ScrambledSobol(len(c.dims), c.seed)
		if err != nil {
			return err
		}
		next = points
	}
	c.rewind(c.mark())
	found, tries := 0, 0
	for u := range next {
		ok, err := c.take(u)
		if err != nil {
			return err
		}
		if ok {
			found++
		}
		if tries++; found == count || tries == max(minTries, patience*count) {
			return nil
		}
		if tries&0xfff == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
	}
	return nil
}

// take adds the point at u unless rules remove it or it is there already.
func (c *cube) take(u []float64) (bool, error) {
	var key []byte
	for i, f := range c.dims {
		x := &c.factors[f]
		if x.interval == nil {
			c.row[f] = sample.Level(u[i], x.n)
			key = binary.AppendUvarint(key, uint64(c.row[f]))
			continue
		}
		v := x.at(u[i])
		c.row[f] = len(x.axes[0].values)
		x.axes[0].values = append(x.axes[0].values, v)
		key = append(append(key, v.String()...), 0)
	}
	taken := !c.seen[string(key)]
	var err error
	if taken {
		var broken int
		broken, err = c.checker.broken(c.row)
		taken = broken < 0 && err == nil
	}
	for _, f := range c.dims {
		x := &c.factors[f]
		if x.interval == nil {
			continue
		}
		if values := x.axes[0].values; taken {
			x.n = len(values)
		} else {
			x.axes[0].values = values[:len(values)-1]
		}
	}
	if taken {
		c.seen[string(key)] = true
		c.drawn.add(c.row)
	}
	return taken, err
}

// at gives the value of an interval at u in [0,1).
func (f *factor) at(u float64) spec.Value {
	r := f.interval
	low, high := r.From, r.To
	if f.integer {
		// Every whole number gets an equal share of the interval.
		low, high = math.Ceil(low)-0.5, math.Floor(high)+0.5
	}
	var x float64
	if r.Log {
		x = math.Exp(sample.Between(u, math.Log(max(low, math.SmallestNonzeroFloat64)), math.Log(high)))
	} else {
		x = sample.Between(u, low, high)
	}
	if !f.integer {
		return spec.Of(round(min(max(x, r.From), r.To)))
	}
	return spec.Of(int64(min(max(math.Round(x), math.Ceil(r.From)), math.Floor(r.To))))
}

// round keeps 12 significant digits: exponentials differ in the last bits
// between platforms, and plans must not.
func round(x float64) float64 {
	y, _ := strconv.ParseFloat(strconv.FormatFloat(x, 'g', 12, 64), 64)
	return y
}

// mark and rewind remember and forget what was drawn; the points drawn before
// the mark stay.
func (c *cube) mark() points { return c.drawn }

func (c *cube) rewind(to points) {
	c.drawn = to
	c.seen = map[string]bool{}
	for i := range c.factors {
		if f := &c.factors[i]; f.interval != nil {
			f.n = to.n
			f.axes[0].values = f.axes[0].values[:to.n]
		}
	}
}
