// SPDX-License-Identifier: MIT

package sim

// spread meets the demand of a job that asks for nodes and not to have them for
// itself as sched-simple does: of the nodes with the most free cores it takes as
// many as are asked for and deals them the slots in turn. A node that has no core
// left is passed over, and the others get its slots; one whose last cores are too
// few for a slot ends the attempt. So a job of 6 nodes and 3 tasks on each can
// get 1 core of each of two nodes and all 4 cores of the four others, as a run that
// the published batch descending recorded has it.
//
// It gives nil where the demand cannot be met.
func (p *pool) spread(d *demand) []Share {
	if !p.enough(d) {
		return nil
	}
	shares := make([]Share, 0, d.nodes)
	for l := p.below(p.top()); len(shares) < int(d.nodes); l = p.below(l) {
		for n := range p.of(l) {
			shares = append(shares, Share{Node: n})
			if len(shares) == int(d.nodes) {
				break
			}
		}
	}
	for slots := d.slots; slots > 0; {
		for i := range shares {
			s := &shares[i]
			left := p.free[s.Node] - s.Cores
			if left == 0 || slots == 0 {
				continue
			}
			if left < d.size {
				return nil
			}
			s.Cores += d.size
			slots--
		}
	}
	return shares
}

// enough says whether the emptiest nodes are as many as the demand wants, each has
// a core, and all together have the cores.
func (p *pool) enough(d *demand) bool {
	nodes, cores := d.nodes, d.slots*d.size
	for l := p.below(p.top()); l > 0 && nodes > 0; l = p.below(l) {
		n := min(nodes, p.size[l])
		nodes -= n
		cores -= n * l
	}
	return nodes == 0 && cores <= 0
}
