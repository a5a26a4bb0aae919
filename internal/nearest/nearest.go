// Package nearest finds the word that a mistyped one was probably meant to be.
package nearest

import (
	"fmt"
	"strings"
)

// To returns the candidate that text was probably meant to be, or nothing when none
// is near.
func To(text string, candidates []string) string {
	best, least := "", 1+max(2, len(text)/3)
	for _, c := range candidates {
		a, b := strings.ToLower(text), strings.ToLower(c)
		d := distance(a, b)
		if min(len(a), len(b)) >= 3 && (strings.HasPrefix(a, b) || strings.HasPrefix(b, a)) {
			d = 1 // "warning" for "warn"
		}
		if d < least {
			best, least = c, d
		}
	}
	return best
}

// Hint is To for the middle of a message.
func Hint(text string, candidates []string) string {
	if n := To(text, candidates); n != "" {
		return fmt.Sprintf(", did you mean %q?", n)
	}
	return ""
}

// distance counts the bytes to insert, delete, replace or swap with a neighbour to
// get from a to b.
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row[0] = i + 1
		for j := range len(b) {
			replace := last[j]
			if a[i] != b[j] {
				replace++
			}
			row[j+1] = min(replace, last[j+1]+1, row[j]+1)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], before[j-1]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
