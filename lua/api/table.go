package api

import (
	"slices"
	"strings"
)

// Functions are all functions of the ngx table in the order of their names, for the table of the documentation.
func Functions() []Func {
	all := slices.Concat(families()...)
	slices.SortFunc(all, func(a, b Func) int { return strings.Compare(a.Name, b.Name) })
	return all
}

// Phases lists the phases of the set in words: "any" for all.
func (p Phase) Phases() string {
	if p == anywhere {
		return "any"
	}
	var names []string
	for i := range phaseNames {
		if p&phaseNames[i].phase != 0 {
			names = append(names, phaseNames[i].name)
		}
	}
	return strings.Join(names, ", ")
}
