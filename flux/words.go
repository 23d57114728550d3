// SPDX-License-Identifier: MIT

package flux

import (
	_ "embed"
	"fmt"
	"strings"
	"sync"
)

//go:embed words.txt
var wordsText string

// wordBase is how many words are digits: the cubic root of 2^32, rounded up.
const wordBase = 1626

// wordList is each word by its value and each value by its word, read on first use.
var wordList = sync.OnceValues(func() (words []string, value map[string]uint32) {
	value = make(map[string]uint32, wordBase)
	for line := range strings.Lines(wordsText) {
		if word := strings.TrimSpace(line); !strings.HasPrefix(word, "#") {
			value[word] = uint32(len(words))
			words = append(words, word)
		}
	}
	return words, value
})

func wordsOf(n uint32) [3]string {
	words, _ := wordList()
	return [3]string{words[n%wordBase], words[n/wordBase%wordBase], words[n/wordBase/wordBase]}
}

// parseWords takes six words with anything but letters between them.
func parseWords(s string) (n uint64, why string) {
	_, value := wordList()
	words := strings.FieldsFunc(strings.ToLower(s), func(r rune) bool { return r < 'a' || r > 'z' })
	if len(words) != 6 {
		return 0, fmt.Sprintf("in words it has to be six, not %d", len(words))
	}
	for half := range 2 {
		var sum uint64
		for i := 2; i >= 0; i-- {
			v, ok := value[words[3*half+i]]
			if !ok {
				return 0, fmt.Sprintf("%q is not in the list of words", words[3*half+i])
			}
			sum = sum*wordBase + uint64(v)
		}
		if sum > 0xffffffff {
			return 0, "its words are more than 64 bits"
		}
		n |= sum << (32 * half)
	}
	return n, ""
}
