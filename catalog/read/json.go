// SPDX-License-Identifier: MIT

package read

import (
	"bytes"
	"encoding/json"
	"math"
)

// jsonText walks one JSON text and hands out the few fields that are wanted.
// Short logs are mostly a jobspec and an eventlog, and reading these with
// encoding/json took most of the time: five times as long, for it checks every
// text first and then looks at every field. What this one passes over it checks
// for matching brackets and quotes only. A field of another type than the
// wanted one is left out.
type jsonText struct {
	b     []byte
	at    int
	depth int
	bad   bool
}

// peek gives the next byte that is no space, or 0.
func (j *jsonText) peek() byte {
	for ; j.at < len(j.b); j.at++ {
		if c := j.b[j.at]; c > ' ' {
			return c
		}
	}
	return 0
}

// ended says whether all was well and nothing follows.
func (j *jsonText) ended() bool { return j.peek() == 0 && !j.bad }

// object hands out every key of an object; field may read the value or leave it.
func (j *jsonText) object(field func(key []byte)) {
	j.list('{', '}', func() {
		key := j.value()
		if len(key) < 2 || key[0] != '"' || j.peek() != ':' {
			j.bad = true
			return
		}
		j.at++
		at := j.at
		if field(key[1 : len(key)-1]); j.at == at {
			j.value()
		}
	})
}

// array calls item, which has to read it, for each item of an array.
func (j *jsonText) array(item func()) { j.list('[', ']', item) }

func (j *jsonText) list(open, end byte, item func()) {
	if j.peek() != open {
		j.value()
		return
	}
	if j.depth++; j.depth > maxDepth {
		j.bad = true
	}
	j.at++
	for more := j.peek() != end; more && !j.bad; {
		item()
		if more = j.peek() == ','; more {
			j.at++
		}
	}
	j.bad = j.bad || j.peek() != end
	j.at++
	j.depth--
}

// value passes over a value and gives its text.
func (j *jsonText) value() []byte {
	first := j.peek()
	from := j.at
	switch first {
	case '"':
		j.quoted()
	case '{', '[':
		for depth := 0; j.at < len(j.b); {
			switch j.b[j.at] {
			case '"':
				j.quoted()
				continue
			case '{', '[':
				depth++
			case '}', ']':
				depth--
			}
			if j.at++; depth == 0 {
				return j.b[from:j.at]
			}
		}
		j.bad = true
	default:
		for j.at < len(j.b) && isScalar[j.b[j.at]] {
			j.at++
		}
	}
	j.bad = j.bad || j.at == from
	return j.b[from:min(j.at, len(j.b))]
}

// isScalar are the bytes of numbers and of true, false and null.
var isScalar = func() (is [256]bool) {
	for _, c := range []byte("+-.0123456789Eaeflnrstu") {
		is[c] = true
	}
	return is
}()

// quoted passes over a text.
func (j *jsonText) quoted() {
	for i := j.at + 1; ; {
		n := bytes.IndexByte(j.b[i:], '"')
		if n < 0 {
			j.bad, j.at = true, len(j.b)
			return
		}
		i += n + 1
		escapes := i - 2
		for j.b[escapes] == '\\' {
			escapes--
		}
		if (i-escapes)%2 == 0 {
			j.at = i
			return
		}
	}
}

// text gives a text, or "" for a value that is none.
func (j *jsonText) text() string { return jsonString(j.value()) }

// jsonString unquotes; package json does it for all that is seldom in a log.
func jsonString(quoted []byte) string {
	b := quoted
	if len(b) < 2 || b[0] != '"' {
		return ""
	}
	b = b[1 : len(b)-1]
	escaped := 0
	for i := 0; i < len(b); i++ {
		switch c := b[i]; {
		case c == '\\' && i+1 < len(b) && (b[i+1] == '"' || b[i+1] == '\\'):
			escaped++
			i++
		case c < ' ' || c > '~' || c == '\\':
			var s string
			if json.Unmarshal(quoted, &s) != nil {
				return ""
			}
			return s
		}
	}
	if escaped == 0 {
		return string(b)
	}
	plain := make([]byte, 0, len(b)-escaped)
	for i := 0; i < len(b); i++ {
		if b[i] == '\\' {
			i++
		}
		plain = append(plain, b[i])
	}
	return string(plain)
}

// number gives a number, or 0 for a value that is none.
func (j *jsonText) number() float64 {
	if x, ok := parseFloat(j.value()); ok && finite(x) {
		return x
	}
	return 0
}

// count gives a whole number up to 2^31, or 0 for a value that is none.
func (j *jsonText) count() int {
	if x := j.number(); x == math.Trunc(x) && math.Abs(x) < 1<<31 {
		return int(x)
	}
	return 0
}
