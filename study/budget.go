// SPDX-License-Identifier: MIT

package study

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

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

// checkPrices makes sure that there are prices, in one currency. An environment
// without one costs nothing.
func checkPrices(study *spec.StudySpec, at spec.Path) (faults []spec.Fault) {
	currency := ""
	for _, e := range study.Environments {
		switch {
		case free(&e):
		case currency != "" && e.Currency != currency:
			faults = append(faults, spec.Faultf(at, "prices are in %s and %s; want one currency", currency, e.Currency))
		default:
			currency = e.Currency
		}
	}
	if currency == "" {
		return []spec.Fault{spec.Faultf(at, "the study declares no environment with a price; give environments with pricePerNodeHour")}
	}
	return faults
}

// free says whether an environment costs no money.
func free(e *spec.NamedEnvironment) bool { return e.PricePerNodeHour == 0 }

// tolerance keeps sums of hours from exceeding a limit by rounding alone.
const tolerance = 1e-9

// spend goes through the plan in order, adds up what trials cost, and ends the
// plan before the first trial that exceeds a limit: the plan is a prefix, so
// that whole blocks come first. A limit in money ends it only for environments
// with a price.
func (p *Plan) spend(ctx context.Context) error {
	of := make(map[*sweep]int, len(p.sweeps))
	anyFree := false
	for i, s := range p.sweeps {
		of[s] = i
		p.bills = append(p.bills, make([]bill, len(s.environments)))
		for j := range s.environments {
			anyFree = anyFree || free(&s.environments[j])
		}
	}
	p.end, p.endPriced = math.MaxInt, math.MaxInt
	var c config
	var spent spending
	place := 0
	p.walk(func(s *sweep, row []int, _, _ int) bool {
		if place&0xfff == 0 && ctx.Err() != nil {
			return false
		}
		s.resolve(row, &c)
		env := &s.environments[c.env]
		one := spending{trials: 1}
		timed := !math.IsNaN(s.hours)
		if timed {
			one.coreHours = float64(c.tasks) * float64(c.cores) * s.hours
			one.nodeHours = float64(c.nodes) * s.hours
			one.money = one.nodeHours * env.PricePerNodeHour
		}
		if p.keeps(place, env) {
			switch limit, text := spent.plus(one).exceeds(p.study.Budget); {
			case limit == "":
				spent = spent.plus(one)
			case limit == "money" && anyFree:
				p.endPriced = place
				p.limits = append(p.limits, text)
			default:
				p.end = place
				p.limits = append(p.limits, text)
			}
		}
		b := &p.bills[of[s]][c.env]
		to := &b.cut
		if p.keeps(place, env) {
			to = &b.kept
		}
		to.Trials++
		if !timed {
			to.Untimed++
		}
		to.CoreHours += float64(one.coreHours)
		to.NodeHours += float64(one.nodeHours)
		if !free(env) {
			if to.Money == nil {
				to.Money = map[string]float64{}
			}
			to.Money[env.Currency] += float64(one.money)
		}
		place++
		return true
	})
	return ctx.Err()
}

// keeps says whether the budget has room for the trial at a place of the plan.
func (p *Plan) keeps(place int, env *spec.NamedEnvironment) bool {
	return place < p.end && (free(env) || place < p.endPriced)
}

// spending is what a budget limits, in its units.
type spending struct {
	trials                      int
	coreHours, nodeHours, money float64
}

// plus adds. Conversions keep compilers from fusing products and sums, which
// would round differently on some platforms.
func (s spending) plus(t spending) spending {
	return spending{
		s.trials + t.trials, s.coreHours + float64(t.coreHours),
		s.nodeHours + float64(t.nodeHours), s.money + float64(t.money),
	}
}

// exceeds names the limit that is exceeded, and gives it as in the file.
func (s spending) exceeds(b *spec.Budget) (limit, text string) {
	if b == nil {
		return "", ""
	}
	for _, l := range []struct {
		key       string
		most, got float64
	}{
		{"trials", float64(b.Trials), float64(s.trials)},
		{"coreHours", b.CoreHours, s.coreHours},
		{"nodeHours", b.NodeHours, s.nodeHours},
		{"money", b.Money, s.money},
	} {
		if l.most > 0 && l.got > l.most*(1+tolerance) {
			return l.key, fmt.Sprintf("%s: %v", l.key, l.most)
		}
	}
	return "", ""
}

// checkLeft makes sure that the plan has a trial, in its environment.
func (p *Plan) checkLeft(at spec.Path) error {
	if p.Len() > 0 {
		return nil
	}
	cut := 0
	named := false
	for i, s := range p.sweeps {
		for env, b := range p.bills[i] {
			if p.environment < 0 || p.environment == env {
				cut += b.cut.Trials
			}
		}
		named = named || !s.gives(slotEnvironment) || slices.Contains(s.envOf, p.environment)
	}
	where := ""
	if p.environment >= 0 {
		where = fmt.Sprintf(" in the environment %q", p.study.Environments[p.environment].Name)
	}
	switch budget := strings.Join(p.limits, ", "); {
	case cut > 0:
		return fail(spec.Faultf(at.Key("budget"), "no trial is left%s: the limit %s cuts all %d", where, budget, cut))
	case named:
		return fail(spec.Faultf(at.Key("environments").Index(p.environment), "no trial is left%s: the sweeps have no point that can run there", where))
	default:
		return fail(spec.Faultf(at.Key("environments").Index(p.environment), "no trial is left%s: the environments of the sweeps do not name it", where))
	}
}
