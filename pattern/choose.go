// SPDX-License-Identifier: MIT

package pattern

import "math"

// candidate is a law that was tried, with what cross-validation says of it.
type candidate struct {
	fitted
	// fit is the root of the mean squared relative error at the sizes that were
	// fitted, validated that at sizes that were left out, and forward that at the
	// size after those fitted, for each doubling.
	fit, validated, forward float64
	// folds are the squared errors of the folds, and ahead those of the folds
	// that predict beyond the sizes they fit, by doubling.
	folds, ahead []float64
	weight       float64
}

// missed is the error of a fold in which a law could not be fitted or predicts
// nothing: a factor of e.
const missed = 1.0

// candidates fits every law and validates it. Folds leave out one size each, and
// then all sizes after the first few to predict the next one: how a law errs
// beyond its data is what a prediction beyond the data has to know. A law that
// takes all of a fold's sizes to decide its coefficients is a candidate, one
// that takes more is not.
//
// The weights are those of the logarithmic score: with errors of a standard
// deviation that is not known, n independent ones have a likelihood that falls
// with the n-th power of the root of their mean square. Geisser and Eddy, "A
// predictive approach to model selection", JASA 74 (1979); Yao, Vehtari, Simpson
// and Gelman, "Using stacking to average Bayesian predictive distributions",
// Bayesian Analysis 13 (2018), call it pseudo-BMA. What repetitions say of the
// noise is a floor: no law is better than the noise, see [noiseFloor].
func candidates(laws []law, cells []cell) (all []candidate) {
	n := len(cells)
	weigh(cells)
	floor := noiseFloor(cells)
	total := 0.0
	for i := range laws {
		l := &laws[i]
		if l.needs() > n-1 {
			continue
		}
		f, ok := l.fit(cells)
		if !ok {
			continue
		}
		c := candidate{fitted: f}
		for _, cell := range cells {
			e := logError(f, cell)
			c.fit += e * e / float64(n)
		}
		c.fit = math.Sqrt(c.fit)
		c.validate(cells)
		mean := meanOf(c.folds)
		c.validated, c.forward = math.Sqrt(mean), math.Sqrt(meanOf(c.ahead))
		c.weight = l.prior * math.Pow(mean+floor, -float64(n)/2)
		total += c.weight
		all = append(all, c)
	}
	for i := range all {
		all[i].weight /= total
	}
	return all
}

// noiseFloor is the mean squared error of validation that noise alone gives a
// law with two constants. Leaving out size i costs the square of its error by
// 1-hᵢ, where h is the leverage, here that of a straight line in the logarithms:
// of three sizes, the ends are missed by six times the variance. Allen, "The
// relationship between variable selection and data augmentation and a method for
// prediction", Technometrics 16 (1974), whose PRESS this is.
func noiseFloor(cells []cell) (floor float64) {
	n := float64(len(cells))
	for _, c := range cells {
		floor += c.error * c.error / max(1-leverage(cells, c.x), 0.1) / n
	}
	return floor
}

// leverage is the variance of a straight line through the logarithms of the cells
// at x, over the variance of one cell.
func leverage(cells []cell, x float64) float64 {
	n := float64(len(cells))
	mean, spread := 0.0, 0.0
	for _, c := range cells {
		mean += math.Log(c.x) / n
	}
	for _, c := range cells {
		spread += math.Pow(math.Log(c.x)-mean, 2)
	}
	return 1/n + math.Pow(math.Log(x)-mean, 2)/spread
}

// maxFolds bounds the folds of either kind, which are spread evenly over more
// sizes than that.
const maxFolds = 32

func (c *candidate) validate(cells []cell) {
	n := len(cells)
	step := 1 + (n-1)/maxFolds
	rest := make([]cell, 0, n)
	for out := (n - 1) % step; out < n; out += step {
		rest = append(append(rest[:0], cells[:out]...), cells[out+1:]...)
		weigh(rest)
		e := c.foldError(rest, cells[out])
		c.folds = append(c.folds, e*e)
	}
	for k := max(2, c.needs()); k < n; k += step {
		rest = append(rest[:0], cells[:k]...)
		weigh(rest)
		e := c.foldError(rest, cells[k])
		if k < n-1 { // the last is the fold that leaves out the largest size
			c.folds = append(c.folds, e*e)
		}
		doublings := max(math.Log2(cells[k].x/cells[k-1].x), 0.5)
		c.ahead = append(c.ahead, math.Pow(e/doublings, 2))
	}
}

func (c *candidate) foldError(train []cell, test cell) float64 {
	f, ok := c.law.fit(train)
	if !ok {
		return missed
	}
	return logError(f, test)
}

// logError is log(predicted / measured), no more than [missed] in size.
func logError(f fitted, c cell) float64 {
	e := math.Log(f.at(c.x) / c.y)
	if math.IsNaN(e) {
		return missed
	}
	return min(max(e, -missed), missed)
}

func meanOf(xs []float64) float64 {
	sum := 0.0
	for _, x := range xs {
		sum += x
	}
	return sum / max(1, float64(len(xs)))
}

// simpler is how far from the middle, in relative terms, a law may be for each
// constant that it has less.
const simpler = 0.005

// choose picks one law. Those within one standard error of the best, or within
// the noise, cannot be told apart by validation (Breiman, Friedman, Olshen and Stone, "Classification
// and Regression Trees", 1984, section 3.4.3). Of them it takes the one that
// predicts at x what the weighted mean of all laws does, or nearly so with fewer
// constants: means of laws predict better than the best law does, and the single
// law nearest to the mean keeps most of that, as Barbieri and Berger found for
// linear models ("Optimal predictive model selection", Annals of Statistics 32,
// 2004). It can be written down, which a mean of thirty laws cannot.
func choose(all []candidate, x, floor float64) int {
	best := 0
	for i := range all {
		if all[i].validated < all[best].validated {
			best = i
		}
	}
	folds := all[best].folds
	mean, variance := meanOf(folds), 0.0
	for _, e := range folds {
		variance += (e - mean) * (e - mean) / max(1, float64(len(folds)-1))
	}
	limit := max(floor, mean+math.Sqrt(variance/float64(len(folds))))
	middle := 0.0
	for i := range all {
		middle += all[i].weight * logOf(all[i].at(x))
	}
	chosen, least := best, math.Inf(1)
	for i := range all {
		c := &all[i]
		if meanOf(c.folds) > limit {
			continue
		}
		if d := math.Abs(logOf(c.at(x))-middle) + simpler*float64(c.cost); d < least {
			chosen, least = i, d
		}
	}
	return chosen
}

// logOf keeps the logarithm of nothing within numbers.
func logOf(y float64) float64 { return math.Log(max(y, math.SmallestNonzeroFloat64)) }

// ahead is the mean squared error one doubling ahead of the sizes fitted, by the
// laws' weights, and the number of folds that tell it.
func ahead(all []candidate) (own float64, folds int) {
	for i := range all {
		c := &all[i]
		own += c.weight * meanOf(c.ahead)
		folds = max(folds, len(c.ahead))
	}
	return own, folds
}

// betweenSizes is the standard deviation of the sizes around the laws, by the
// laws' weights, without what repetitions and the drift explain of it: that between
// the studies of a meta-analysis, from moments (DerSimonian and Laird,
// "Meta-analysis in clinical trials", Controlled Clinical Trials 7, 1986). Before
// anything is known it is [wobble], which counts for [poolStrength] degrees of
// freedom and is the least.
func betweenSizes(all []candidate, cells []cell) float64 {
	n, variance := float64(len(cells)), 0.0
	for i := range all {
		c := &all[i]
		freedom, excess := max(0, n-float64(c.cost)), 0.0
		for _, cell := range cells {
			e := logError(c.fitted, cell)
			excess += e*e - freedom/n*(cell.error*cell.error-wobble*wobble)
		}
		variance += c.weight * (poolStrength*wobble*wobble + max(0, excess)) / (poolStrength + freedom)
	}
	return max(wobble, math.Sqrt(variance))
}
