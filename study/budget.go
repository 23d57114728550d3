// SPDX-License-Identifier: MIT

package study

import (
	"context"
	"math"

	"github.com/converged-computing/ensemble/spec"
)

// A Cost is what trials are expected to take.
type Cost struct {
	// Trials is how many there are.
	Trials int `json:"trials"`
	// Untimed is how many of them have neither an expected time nor a timeout,
	// and so count nothing below.
	Untimed int `json:"untimed,omitempty"`
	// CoreHours is the sum of tasks times cores per task times hours.
	CoreHours float64 `json:"core_hours"`
	// NodeHours is the sum of nodes times hours.
	NodeHours float64 `json:"node_hours"`
	// Money is the sum of node-hours times the environment's price, by
	// currency (ISO 4217).
	Money map[string]float64 `json:"money,omitempty"`
}

// add adds another cost.
func (c *Cost) add(d Cost) {
	c.Trials += d.Trials
	c.Untimed += d.Untimed
	c.CoreHours += d.CoreHours
	c.NodeHours += d.NodeHours
	for currency, x := range d.Money {
		if c.Money == nil {
			c.Money = map[string]float64{}
		}
		c.Money[currency] += x
	}
}

// A bill is what the trials of one sweep in one environment cost: those that
// the budget keeps, and those that it cuts.
type bill struct{ kept, cut Cost }

// checkBudget finds out whether the budget's limits can be told at all.
func checkBudget(study *spec.StudySpec, at spec.Path, sweeps []*sweep) (faults []spec.Fault) {
	b := study.Budget
	if b == nil {
		return nil
	}
	at = at.Key("budget")
	for _, l := range []struct {
		key   string
		value float64
	}{{"coreHours", b.CoreHours}, {"nodeHours", b.NodeHours}, {"money", b.Money}} {
		if l.value <= 0 {
			continue
		}
		for _, s := range sweeps {
			if math.IsNaN(s.hours) {
				faults = append(faults, spec.Faultf(at.Key(l.key),
					"how long a trial of sweep %q takes is not known; give budget.expectedTime, or run.timeout", s.name))
				break
			}
		}
	}
	if b.Money > 0 {
		faults = append(faults, checkPrices(study, at.Key("money"))...)
	}
	return faults
}

// ownMachine is the cloud of an environment that costs nothing.
const ownMachine = "none"

// checkPrices makes sure that every environment has a price in one currency.
func checkPrices(study *spec.StudySpec, at spec.Path) (faults []spec.Fault) {
	if len(study.Environments) == 0 {
		return []spec.Fault{spec.Faultf(at, "the study declares no environment with a price; give environments with pricePerNodeHour")}
	}
	currency := ""
	for _, e := range study.Environments {
		switch {
		case e.PricePerNodeHour == 0 && e.Cloud != ownMachine:
			faults = append(faults, spec.Faultf(at, "the environment %q has no price; give pricePerNodeHour, or cloud: %s where it costs nothing", e.Name, ownMachine))
		case e.PricePerNodeHour > 0 && currency != "" && e.Currency != currency:
			faults = append(faults, spec.Faultf(at, "prices are in %s and %s; want one currency", currency, e.Currency))
		case e.PricePerNodeHour > 0:
			currency = e.Currency
		}
	}
	return faults
}

// tolerance keeps sums of hours from exceeding a limit by rounding alone.
const tolerance = 1e-9

// spend goes through the plan in order, adds up what trials cost, and ends the
// plan before the first trial that exceeds a limit: the plan is a prefix, so
// that whole blocks come first.
func (p *Plan) spend(ctx context.Context) error {
	of := make(map[*sweep]int, len(p.sweeps))
	for i, s := range p.sweeps {
		of[s] = i
		p.bills = append(p.bills, make([]bill, len(s.environments)))
	}
	var c config
	var coreHours, nodeHours, money float64
	n := 0
	p.walk(func(s *sweep, row []int, _, _ int) bool {
		if n++; n&0xfff == 0 && ctx.Err() != nil {
			return false
		}
		s.resolve(row, &c)
		cores, nodes, price := 0.0, 0.0, 0.0
		timed := !math.IsNaN(s.hours)
		if timed {
			cores = float64(c.tasks) * float64(c.cores) * s.hours
			nodes = float64(c.nodes) * s.hours
			price = nodes * s.environments[c.env].PricePerNodeHour
		}
		// Conversions keep compilers from fusing products and sums, which
		// would round differently on some platforms.
		if p.limit == "" {
			coreHours += float64(cores)
			nodeHours += float64(nodes)
			money += float64(price)
			if p.limit = exceeded(p.study.Budget, p.keep+1, coreHours, nodeHours, money); p.limit == "" {
				p.keep++
			}
		}
		b := &p.bills[of[s]][c.env]
		to := &b.kept
		if p.limit != "" {
			to = &b.cut
		}
		to.Trials++
		if !timed {
			to.Untimed++
		}
		to.CoreHours += float64(cores)
		to.NodeHours += float64(nodes)
		if e := &s.environments[c.env]; e.PricePerNodeHour > 0 {
			if to.Money == nil {
				to.Money = map[string]float64{}
			}
			to.Money[e.Currency] += float64(price)
		}
		return true
	})
	if err := ctx.Err(); err != nil {
		return err
	}
	if p.keep == 0 {
		return fail(spec.Faultf("spec.study.budget", "the limit %s leaves no trial: the first one alone exceeds it", p.limit))
	}
	return nil
}

// exceeded names the limit that is exceeded, as in the file.
func exceeded(b *spec.Budget, trials int, coreHours, nodeHours, money float64) string {
	if b == nil {
		return ""
	}
	over := func(limit, x float64) bool { return limit > 0 && x > limit*(1+tolerance) }
	switch {
	case b.Trials > 0 && trials > b.Trials:
		return "trials"
	case over(b.CoreHours, coreHours):
		return "coreHours"
	case over(b.NodeHours, nodeHours):
		return "nodeHours"
	case over(b.Money, money):
		return "money"
	}
	return ""
}
