// SPDX-License-Identifier: MIT

package sim

import (
	"iter"
	"math/bits"
)

// demand is what a job asks of the nodes, made ready to be compared.
type demand struct {
	nodes int32 // 0 is any number
	slots int32 // in all
	size  int32 // cores of a slot
	least int32 // cores that a node has to have free to be of use
	whole bool
}

func (j *Job) asks() demand {
	d := demand{nodes: int32(j.Nodes), slots: int32(max(j.Tasks, 1)), size: int32(max(j.Cores, 1)), whole: j.Exclusive}
	if d.least = d.size; d.nodes > 0 {
		each := (d.slots + d.nodes - 1) / d.nodes
		d.slots, d.least = each*d.nodes, each*d.size
	}
	return d
}

// weight is what a node with so many of its cores free adds to the demand, and
// want is how much has to come together.
func (d *demand) weight(free, cores int32) int32 {
	switch {
	case free < d.least || d.whole && free != cores:
		return 0
	case d.nodes == 0:
		return free / d.size
	}
	return 1
}

func (d *demand) want() int32 {
	if d.nodes == 0 {
		return d.slots
	}
	return d.nodes
}

// part is what a demand takes of a node that adds the weight w.
func (d *demand) part(n, w, cores int32) Share {
	switch {
	case d.nodes == 0:
		return Share{n, w * d.size}
	case d.whole:
		return Share{n, cores}
	}
	return Share{n, d.least}
}

// pool is the free cores of nodes. Nodes are kept in sets by how many of their
// cores are free, so that whether a demand fits is seen from the sizes of the sets
// and nodes are looked at only to take them.
type pool struct {
	cores []int32
	free  []int32 // counts the cores of hidden nodes, too
	shown []bool  // nodes of which cores can be taken

	set  [][]uint64 // by free cores, nodes as bits
	some []uint64   // nodes with any free core
	size []int32    // of each set
	idle []int32    // how many of a set are idle
	full []uint64   // sets that are not empty
}

func newPool(cores []int32) *pool {
	p := &pool{cores: cores, free: make([]int32, len(cores)), shown: make([]bool, len(cores))}
	most := int32(0)
	for i, c := range cores {
		p.free[i], most = c, max(most, c)
	}
	p.some = make([]uint64, (len(cores)+63)/64)
	p.set, p.size, p.idle = make([][]uint64, most+1), make([]int32, most+1), make([]int32, most+1)
	p.full = make([]uint64, most/64+1)
	for l := range p.set {
		p.set[l] = make([]uint64, (len(cores)+63)/64)
	}
	return p
}

// enter puts a node into its set or, with -1, takes it out.
func (p *pool) enter(n, by int32) {
	l := p.free[n]
	p.set[l][n/64] ^= 1 << (n % 64)
	if l > 0 {
		p.some[n/64] ^= 1 << (n % 64)
	}
	p.size[l] += by
	if p.size[l] == 0 || by == p.size[l] { // by is 1: it was empty
		p.full[l/64] ^= 1 << (l % 64)
	}
	if l == p.cores[n] {
		p.idle[l] += by
	}
}

func (p *pool) show(n int32) {
	if !p.shown[n] {
		p.shown[n] = true
		p.enter(n, 1)
	}
}

func (p *pool) hide(n int32) {
	if p.shown[n] {
		p.enter(n, -1)
		p.shown[n] = false
	}
}

// let sets the free cores of a node.
func (p *pool) let(n, free int32) {
	if p.free[n] == free {
		return
	}
	if p.shown[n] {
		p.enter(n, -1)
		defer p.enter(n, 1)
	}
	p.free[n] = free
}

func (p *pool) take(shares []Share) {
	for _, s := range shares {
		p.let(s.Node, p.free[s.Node]-s.Cores)
	}
}

func (p *pool) give(shares []Share) {
	for _, s := range shares {
		p.let(s.Node, p.free[s.Node]+s.Cores)
	}
}

// have is how much of the demand can be met, each node by its own share, up to
// what it wants.
func (p *pool) have(d *demand) (have int32) {
	want := d.want()
	for l := p.below(p.top()); l >= d.least && have < want; l = p.below(l) {
		n := p.size[l]
		if d.whole {
			n = p.idle[l]
		}
		if d.nodes == 0 {
			n *= l / d.size
		}
		have += n
	}
	return have
}

// top is beyond the number of cores of any node.
func (p *pool) top() int32 { return int32(len(p.set)) }

// below is the largest number of free cores that some node has, less than a bound;
// -1 is none.
func (p *pool) below(bound int32) int32 {
	for bound > 0 {
		i := (bound - 1) / 64
		if word := p.full[i] << (63 - (bound-1)%64); word != 0 {
			return bound - 1 - int32(bits.LeadingZeros64(word))
		}
		bound = i * 64
	}
	return -1
}

func (p *pool) fits(d *demand) bool { return p.have(d) >= d.want() }

// first meets a demand from the nodes of the lowest numbers, of which no more is
// taken than most says; nil is that they have not enough, and no most is no
// bound.
func (p *pool) first(d *demand, most []int32) (shares []Share) {
	want := d.want()
	for i, word := range p.some {
		for ; word != 0; word &= word - 1 {
			n := int32(i*64 + bits.TrailingZeros64(word))
			free := p.free[n]
			if most != nil {
				free = min(free, most[n])
			}
			if w := min(d.weight(free, p.cores[n]), want); w > 0 {
				shares = append(shares, d.part(n, w, p.cores[n]))
				if want -= w; want == 0 {
					return shares
				}
			}
		}
	}
	return nil
}

// emptiest meets a demand from the nodes with the most free cores and, of those
// with as many, the lowest numbers.
func (p *pool) emptiest(d *demand) (shares []Share) {
	want := d.want()
	for l := p.below(p.top()); l >= d.least; l = p.below(l) {
		for n := range p.of(l) {
			if w := min(d.weight(l, p.cores[n]), want); w > 0 {
				shares = append(shares, d.part(n, w, p.cores[n]))
				if want -= w; want == 0 {
					return shares
				}
			}
		}
	}
	return nil
}

// of goes through the nodes with so many free cores, in the order of their
// numbers. Nothing is taken meanwhile.
func (p *pool) of(free int32) iter.Seq[int32] {
	return func(yield func(int32) bool) {
		for i, word := range p.set[free] {
			for ; word != 0; word &= word - 1 {
				if !yield(int32(i*64 + bits.TrailingZeros64(word))) {
					return
				}
			}
		}
	}
}
