// SPDX-License-Identifier: MIT

package pattern

import (
	"fmt"
	"strings"
)

// model writes a fitted law with its constants and their units. Terms that the
// data do not have, with a coefficient of zero, are left out.
func (p *Pattern) model(f fitted) *Model {
	axis := p.options.Axis
	unit := func(of string) string {
		of = strings.ReplaceAll(of, "x", axis)
		switch u := p.unit(); {
		case of == "":
			return u
		case u == "" || u == "1":
			return strings.TrimPrefix(of, "·")
		default:
			return u + of
		}
	}
	m := &Model{Name: f.name, Constants: map[string]Constant{}}
	if f.free {
		by := fmt.Sprintf("/x^%.4g", f.c[1])
		if f.c[1] < 0 {
			by = fmt.Sprintf("·x^%.4g", -f.c[1])
		}
		m.Constants["factor"] = Constant{f.c[0], unit(by)}
		m.Constants["exponent"] = Constant{f.c[1], "1"}
		m.Formula = fmt.Sprintf(p.form.around, "factor · "+axis+"^exponent")
		return m
	}
	var parts []string
	for j, t := range f.terms {
		if f.c[j] == 0 && len(f.terms) > 1 {
			continue
		}
		m.Constants[t.name] = Constant{f.c[j], unit(t.unit)}
		parts = append(parts, strings.TrimSpace(t.name+" "+strings.ReplaceAll(t.text, "x", axis)))
	}
	formula := strings.Join(parts, " + ")
	if f.inverse {
		formula = "1 / (" + formula + ")"
	}
	m.Formula = fmt.Sprintf(p.form.around, formula)
	return m
}

// unit is that of what laws are fitted to.
func (p *Pattern) unit() string {
	u := p.options.Unit
	switch p.options.Form {
	case Rate:
		if u == "" {
			return "1"
		}
		return "1/(" + u + ")"
	case Share:
		return "1"
	}
	return u
}
