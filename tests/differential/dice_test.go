package differential

import (
	"math/rand/v2"
	"strings"
)

// dice make the choices of a plan.
type dice struct{ *rand.Rand }

// chance is true in so many of a hundred cases.
func (d *dice) chance(percent int) bool { return d.IntN(100) < percent }

// of is one of the words.
func (d *dice) of(words ...string) string { return words[d.IntN(len(words))] }

// mostly is the usual word, and another one in so many of a hundred cases.
func (d *dice) mostly(usual string, percent int, others []string) string {
	if d.chance(percent) {
		return d.of(others...)
	}
	return usual
}

// maybe is the word in so many of a hundred cases.
func (d *dice) maybe(percent int, word string) string {
	if d.chance(percent) {
		return word
	}
	return ""
}

// call calls one of the functions.
func (d *dice) call(functions ...func() string) string { return functions[d.IntN(len(functions))]() }

// between is a number, both ends included.
func (d *dice) between(least, most int) int { return least + d.IntN(most-least+1) }

// several joins what a function gives, so many times.
func (d *dice) several(least, most int, separator string, f func() string) string {
	all := make([]string, d.between(least, most))
	for i := range all {
		all[i] = f()
	}
	return strings.Join(all, separator)
}

// letters is a word of letters of the alphabet.
func (d *dice) letters(least, most int, alphabet string) string {
	return d.several(least, most, "", func() string {
		i := d.IntN(len(alphabet))
		return alphabet[i : i+1]
	})
}
