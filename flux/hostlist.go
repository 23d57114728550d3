// SPDX-License-Identifier: MIT

package flux

import (
	"errors"
	"fmt"
	"iter"
	"slices"
	"strconv"
	"strings"
)

// maxHosts is how many hosts one list may name. A short text can name billions.
const maxHosts = 1 << 24

// Hostlist is an ordered list of host names, in which a name may be repeated
// (RFC 29). It is kept as ranges: its size is that of its text, however many
// hosts it names. The zero value is empty.
type Hostlist struct {
	ranges []hostRange
}

// hostRange is the names prefix + n + suffix for n from first to last, with
// zeros before the number up to width digits. A name without a number is a prefix.
type hostRange struct {
	prefix, suffix string
	numbered       bool
	first, last    uint64
	width          int
}

func (r hostRange) len() int { return int(r.last - r.first + 1) }

func (r hostRange) number(n uint64) string {
	s := strconv.FormatUint(n, 10)
	if pad := r.width - len(s); pad > 0 {
		return strings.Repeat("0", pad) + s
	}
	return s
}

func (r hostRange) at(i int) string {
	if !r.numbered {
		return r.prefix
	}
	return r.prefix + r.number(r.first+uint64(i)) + r.suffix
}

// Hosts makes a list of names.
func Hosts(names ...string) Hostlist {
	var h Hostlist
	for _, name := range names {
		h.push(plainHost(name))
	}
	return h
}

// ParseHostlist reads a list such as "node[01-10,12],login1". Zeros before the
// first number of a bracket hold for all of it.
func ParseHostlist(text string) (Hostlist, error) {
	h, err := parseHostlist(text)
	if err != nil {
		return Hostlist{}, fmt.Errorf("reading the list of hosts %q: %w", shorten(text), err)
	}
	return h, nil
}

// shorten keeps an error readable.
func shorten(text string) string {
	if len(text) > 80 {
		return text[:77] + "..."
	}
	return text
}

func parseHostlist(text string) (h Hostlist, err error) {
	for i := range len(text) {
		if text[i] <= ' ' || text[i] > '~' {
			return h, fmt.Errorf("%q cannot be in a name", text[i])
		}
	}
	total := 0
	for text != "" {
		var ranges []hostRange
		end := strings.IndexAny(text, ",[]")
		switch {
		case end < 0:
			ranges, text = []hostRange{plainHost(text)}, ""
		case text[end] == ']':
			return h, errors.New("a bracket is closed that was not opened")
		case text[end] == ',':
			if end > 0 {
				ranges = []hostRange{plainHost(text[:end])}
			}
			text = text[end+1:]
		default:
			if ranges, text, err = parseBracket(text[:end], text[end+1:]); err != nil {
				return h, err
			}
		}
		for _, r := range ranges {
			if total += r.len(); total > maxHosts {
				return h, fmt.Errorf("it names more than %d hosts", maxHosts)
			}
			h.push(r)
		}
	}
	return h, nil
}

// parseBracket reads on behind an opened bracket up to the comma that ends the
// expression.
func parseBracket(prefix, text string) (ranges []hostRange, rest string, err error) {
	inner, behind, ok := strings.Cut(text, "]")
	if !ok {
		return nil, "", errors.New("a bracket is not closed")
	}
	suffix, rest, _ := strings.Cut(behind, ",")
	if strings.ContainsAny(inner, "[") || strings.ContainsAny(suffix, "[]") {
		return nil, "", errors.New("a name has two brackets")
	}
	width := 0
	for i, part := range slices.Collect(strings.SplitSeq(inner, ",")) {
		low, high, isRange := strings.Cut(part, "-")
		if !isRange {
			high = low
		}
		first, err1 := parseHostNumber(low)
		last, err2 := parseHostNumber(high)
		if err := errors.Join(err1, err2); err != nil {
			return nil, "", err
		}
		if last < first {
			return nil, "", fmt.Errorf("the range %q goes down", part)
		}
		if last-first >= maxHosts {
			return nil, "", fmt.Errorf("the range %q has more than %d hosts", part, maxHosts)
		}
		own := padding(low)
		if i == 0 {
			width = own
		}
		ranges = append(ranges, hostRange{prefix, suffix, true, first, last, max(own, width)})
	}
	return ranges, rest, nil
}

// maxDigits keeps numbers and their neighbours within 64 bits.
const maxDigits = 18

func parseHostNumber(s string) (uint64, error) {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil || len(s) > maxDigits || s[0] == '+' {
		return 0, fmt.Errorf("%q is no number of a host", s)
	}
	return n, nil
}

// padding is the width that a number has to have for its leading zeros.
func padding(digits string) int {
	if len(digits) > 1 && digits[0] == '0' {
		return len(digits)
	}
	return 0
}

// plainHost looks for a number at the end of a name.
func plainHost(name string) hostRange {
	prefix := strings.TrimRight(name, "0123456789")
	digits := name[len(prefix):]
	n, err := parseHostNumber(digits)
	if err != nil {
		return hostRange{prefix: name}
	}
	return hostRange{prefix: prefix, numbered: true, first: n, last: n, width: padding(digits)}
}

// push puts a range behind the others, or into the last one where it goes on.
func (h *Hostlist) push(r hostRange) {
	if n := len(h.ranges); n > 0 {
		if last := &h.ranges[n-1]; last.goesOn(r) && r.first == last.last+1 && last.len()+r.len() <= maxHosts {
			last.last = r.last
			return
		}
	}
	h.ranges = append(h.ranges, r)
}

// goesOn says whether the numbers of next can be written behind those of r, in
// one bracket. Numbers only get longer, so the first one decides.
func (r hostRange) goesOn(next hostRange) bool {
	return r.numbered && next.numbered && r.prefix == next.prefix && r.suffix == next.suffix &&
		r.number(next.first) == next.number(next.first) && padding(r.number(r.first)) >= padding(next.number(next.first))
}

// String is the short form: node[1-3],login. Names stay in their order.
func (h Hostlist) String() string {
	var b strings.Builder
	for i := 0; i < len(h.ranges); {
		if i > 0 {
			b.WriteByte(',')
		}
		r := h.ranges[i]
		if !r.numbered {
			b.WriteString(r.prefix)
			i++
			continue
		}
		from := i
		for i++; i < len(h.ranges) && r.goesOn(h.ranges[i]); i++ {
		}
		if i == from+1 && r.first == r.last {
			b.WriteString(r.at(0))
			continue
		}
		b.WriteString(r.prefix + "[")
		for k, part := range h.ranges[from:i] {
			if k > 0 {
				b.WriteByte(',')
			}
			b.WriteString(r.number(part.first))
			if part.last > part.first {
				b.WriteString("-" + r.number(part.last))
			}
		}
		b.WriteString("]" + r.suffix)
	}
	return b.String()
}

// MarshalText writes what String does.
func (h Hostlist) MarshalText() ([]byte, error) { return []byte(h.String()), nil }

// UnmarshalText reads what ParseHostlist does.
func (h *Hostlist) UnmarshalText(text []byte) (err error) {
	*h, err = ParseHostlist(string(text))
	return err
}

// Len is how many names there are, repeated ones counted each time.
func (h Hostlist) Len() (n int) {
	for _, r := range h.ranges {
		n += r.len()
	}
	return n
}

// At is the name at place i, from 0. It panics where there is none.
func (h Hostlist) At(i int) string {
	for _, r := range h.ranges {
		if i < r.len() {
			return r.at(i)
		}
		i -= r.len()
	}
	panic("flux: no host at that place of the list")
}

// All gives the names in order.
func (h Hostlist) All() iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, r := range h.ranges {
			for i := range r.len() {
				if !yield(r.at(i)) {
					return
				}
			}
		}
	}
}

// Equal says whether both name the same hosts in the same order.
func (h Hostlist) Equal(other Hostlist) bool {
	return h.String() == other.String() || h.Len() == other.Len() && slices.Equal(slices.Collect(h.All()), slices.Collect(other.All()))
}

// Append is h with the names of other behind its own.
func (h Hostlist) Append(other Hostlist) Hostlist {
	out := Hostlist{slices.Clone(h.ranges)}
	for _, r := range other.ranges {
		out.push(r)
	}
	return out
}
