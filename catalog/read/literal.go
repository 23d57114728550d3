// SPDX-License-Identifier: MIT

package read

import "regexp/syntax"

// required gives literals of which at least one is in every text that the
// expression matches, or nil where nothing useful is required. It prefers the
// set whose shortest literal is longest.
func required(expression string) []string {
	re, err := syntax.Parse(expression, syntax.Perl)
	if err != nil {
		return nil
	}
	best := requiredBy(re.Simplify())
	for _, l := range best {
		if len(l) < 2 {
			return nil
		}
	}
	return best
}

func requiredBy(re *syntax.Regexp) []string {
	switch re.Op {
	case syntax.OpLiteral:
		if re.Flags&syntax.FoldCase != 0 {
			return nil
		}
		return []string{string(re.Rune)}
	case syntax.OpCapture, syntax.OpPlus:
		return requiredBy(re.Sub[0])
	case syntax.OpRepeat:
		if re.Min > 0 {
			return requiredBy(re.Sub[0])
		}
	case syntax.OpConcat:
		return requiredByConcat(re.Sub)
	case syntax.OpAlternate:
		var all []string
		for _, sub := range re.Sub {
			one := requiredBy(sub)
			if one == nil {
				return nil
			}
			all = append(all, one...)
		}
		if len(all) <= maxAlternatives {
			return all
		}
	}
	return nil
}

const maxAlternatives = 24

// requiredByConcat joins neighbouring literals, captured ones and small
// character classes too, and picks the best part.
func requiredByConcat(subs []*syntax.Regexp) []string {
	var best []string
	joined := []string{""}
	for _, sub := range subs {
		for sub.Op == syntax.OpCapture {
			sub = sub.Sub[0]
		}
		exact := exactly(sub)
		if exact == nil || len(joined)*len(exact) > maxAlternatives {
			joined = []string{""}
			best = better(best, requiredBy(sub))
		}
		if exact == nil || len(exact) > maxAlternatives {
			continue
		}
		joined = products(joined, exact)
		best = better(best, joined)
	}
	return best
}

// exactly lists all that a simple part can match, or nil.
func exactly(re *syntax.Regexp) []string {
	switch {
	case re.Op == syntax.OpEmptyMatch:
		return []string{""}
	case re.Op == syntax.OpLiteral && re.Flags&syntax.FoldCase == 0:
		return []string{string(re.Rune)}
	case re.Op != syntax.OpCharClass:
		return nil
	}
	var all []string
	for i := 0; i+1 < len(re.Rune); i += 2 {
		for r := re.Rune[i]; r <= re.Rune[i+1]; r++ {
			if all = append(all, string(r)); len(all) > maxAlternatives {
				return nil
			}
		}
	}
	return all
}

func products(heads, tails []string) []string {
	all := make([]string, 0, len(heads)*len(tails))
	for _, h := range heads {
		for _, t := range tails {
			all = append(all, h+t)
		}
	}
	return all
}

func better(a, b []string) []string {
	if shortest(b) > shortest(a) {
		return b
	}
	return a
}

func shortest(literals []string) int {
	n := 0
	for i, l := range literals {
		if i == 0 || len(l) < n {
			n = len(l)
		}
	}
	return n
}
