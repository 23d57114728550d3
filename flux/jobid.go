// SPDX-License-Identifier: MIT

package flux

import (
	"encoding/binary"
	"fmt"
	"math/bits"
	"strconv"
	"strings"
	"time"
)

// JobID names a job of one instance (a FLUID, RFC 19): 40 bits of milliseconds
// since the instance was born, 14 bits of who made it, 10 bits to count. Two
// instances may give two jobs the same ID.
type JobID uint64

// AnyJob is no job: it ends the backlog of the journal.
const AnyJob JobID = 1<<64 - 1

// base58 is the alphabet of F58.
const base58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"

// String is the F58 form as Flux prints it where it may print UTF-8: ƒ75k87wd.
func (id JobID) String() string { return "ƒ" + id.base58() }

// Plain is the F58 form in ASCII: f75k87wd.
func (id JobID) Plain() string { return "f" + id.base58() }

// Decimal is the number as JSON has it.
func (id JobID) Decimal() string { return strconv.FormatUint(uint64(id), 10) }

// Hex is like 0x35e8000000.
func (id JobID) Hex() string { return "0x" + strconv.FormatUint(uint64(id), 16) }

// DottedHex is like 0000.0035.e800.0000.
func (id JobID) DottedHex() string {
	return fmt.Sprintf("%04x.%04x.%04x.%04x", uint16(id>>48), uint16(id>>32), uint16(id>>16), uint16(id))
}

// KVS is the directory of the job in the key-value store: job.0000.0035.e800.0000.
func (id JobID) KVS() string { return "job." + id.DottedHex() }

// Words is for saying it aloud: six words, three to either side of two dashes.
func (id JobID) Words() string {
	var b [8]byte
	binary.LittleEndian.PutUint64(b[:], uint64(id))
	low, high := wordsOf(binary.LittleEndian.Uint32(b[:4])), wordsOf(binary.LittleEndian.Uint32(b[4:]))
	return strings.Join(low[:], "-") + "--" + strings.Join(high[:], "-")
}

// Age is how old the instance was when the ID was made.
func (id JobID) Age() time.Duration { return time.Duration(id>>24) * time.Millisecond }

func (id JobID) base58() string {
	var b [11]byte // 58^11 > 2^64
	i := len(b)
	for n := uint64(id); n > 0 || i == len(b); n /= 58 {
		i--
		b[i] = base58[n%58]
	}
	return string(b[i:])
}

// MarshalJSON writes the signed number that Flux writes.
func (id JobID) MarshalJSON() ([]byte, error) {
	return strconv.AppendInt(nil, int64(id), 10), nil
}

// UnmarshalJSON takes a number, signed or not.
func (id *JobID) UnmarshalJSON(b []byte) error {
	if n, err := strconv.ParseInt(string(b), 10, 64); err == nil {
		*id = JobID(n)
		return nil
	}
	n, err := strconv.ParseUint(string(b), 10, 64)
	if err != nil {
		return fmt.Errorf("reading a job ID: %q is no whole number of 64 bits", b)
	}
	*id = JobID(n)
	return nil
}

// ParseJobID reads any form of a job ID but emoji: decimal, hex, dotted hex
// (with or without the job. of its directory), F58 in either spelling, words.
// What a string is follows from its looks alone, by the rules of RFC 19.
func ParseJobID(s string) (JobID, error) {
	s = strings.TrimSpace(s)
	n, why := uint64(0), ""
	switch {
	case strings.Contains(s, "."):
		n, why = parseDotted(strings.TrimPrefix(s, "job."))
	case strings.Contains(s, "-"):
		n, why = parseWords(s)
	case strings.HasPrefix(s, "ƒ"):
		n, why = parseBase58(strings.TrimPrefix(s, "ƒ"))
	case strings.HasPrefix(s, "f"):
		n, why = parseBase58(s[1:])
	case strings.HasPrefix(s, "\xf0\x9f"):
		why = "emoji are not read; flux job id --to=f58 turns them into letters"
	case strings.HasPrefix(s, "0x"):
		n, why = parseNumber(s[2:], 16)
	default:
		n, why = parseNumber(s, 10)
	}
	if why != "" {
		return 0, fmt.Errorf("reading job ID %q: %s", s, why)
	}
	return JobID(n), nil
}

func parseNumber(s string, base int) (uint64, string) {
	n, err := strconv.ParseUint(s, base, 64)
	if err != nil || strings.HasPrefix(s, "+") {
		return 0, "it is neither ƒ and letters, nor a whole number of 64 bits, nor words"
	}
	return n, ""
}

func parseDotted(s string) (n uint64, why string) {
	groups := strings.Split(s, ".")
	for _, g := range groups {
		v, err := strconv.ParseUint(g, 16, 16)
		if err != nil || len(g) > 4 || len(groups) != 4 {
			return 0, "with dots it has to be four groups of one to four hexadecimal digits"
		}
		n = n<<16 | v
	}
	return n, ""
}

func parseBase58(s string) (n uint64, why string) {
	if s == "" {
		return 0, "nothing follows the f"
	}
	for i := range len(s) {
		digit := strings.IndexByte(base58, s[i])
		if digit < 0 {
			return 0, fmt.Sprintf("%q is no digit of base 58", s[i])
		}
		high, low := bits.Mul64(n, 58)
		sum, carry := bits.Add64(low, uint64(digit), 0)
		if high != 0 || carry != 0 {
			return 0, "it is longer than 64 bits"
		}
		n = sum
	}
	return n, ""
}
