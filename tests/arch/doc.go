// Package arch holds the house rules that are tests: which package may import which, that every package says what it
// is, how long files and functions may be, and what no file contains. Only tests live here; a rule that is in the way
// is changed here, with its reason, and not worked around.
package arch
