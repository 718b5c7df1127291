// Package nearest finds the words that somebody who mistyped one may have meant.
package nearest

import (
	"fmt"
	"sort"
	"strings"
	"unicode/utf8"
)

// maxWord bounds the words that are compared: the cost is the product of two lengths.
const maxWord = 128

// find returns those of the candidates that are nearest to word, at most three. Near means:
// equal but for case, or at most a third of its letters (and at least one, at most four) wrong,
// missing, too many or exchanged with their neighbour; or one starts with the other.
func find(word string, candidates []string) []string {
	if word == "" || utf8.RuneCountInString(word) > maxWord {
		return nil
	}
	limit := min(max(utf8.RuneCountInString(word)/3, 1), 4)
	type hit struct {
		word     string
		distance int
	}
	var hits []hit
	seen := map[string]bool{}
	for _, c := range candidates {
		if c == "" || seen[c] || utf8.RuneCountInString(c) > maxWord {
			continue
		}
		seen[c] = true
		a, b := strings.ToLower(word), strings.ToLower(c)
		d := distance(a, b)
		if d > limit && len(a) >= 3 && len(b) >= 3 && (strings.HasPrefix(b, a) || strings.HasPrefix(a, b)) {
			d = limit
		}
		if d <= limit {
			hits = append(hits, hit{c, d})
		}
	}
	sort.Slice(hits, func(i, j int) bool {
		if hits[i].distance != hits[j].distance {
			return hits[i].distance < hits[j].distance
		}
		return hits[i].word < hits[j].word
	})
	var out []string
	for i, h := range hits {
		if i == 3 || h.distance > hits[0].distance {
			break
		}
		out = append(out, h.word)
	}
	return out
}

// DidYouMean is the question that ends an error message: `: did you mean "a" or "b"?`, or nothing when
// no candidate is near.
func DidYouMean(word string, candidates []string) string {
	found := find(word, candidates)
	if len(found) == 0 {
		return ""
	}
	for i, f := range found {
		found[i] = fmt.Sprintf("%q", f)
	}
	return ": did you mean " + strings.Join(found, " or ") + "?"
}

// distance counts the letters to insert, delete, replace, or exchange with their neighbour to make b
// of a (optimal string alignment).
func distance(a, b string) int {
	x, y := []rune(a), []rune(b)
	before, last, row := make([]int, len(y)+1), make([]int, len(y)+1), make([]int, len(y)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(x); i++ {
		row[0] = i
		for j := 1; j <= len(y); j++ {
			cost := 1
			if x[i-1] == y[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && x[i-1] == y[j-2] && x[i-2] == y[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(y)]
}
