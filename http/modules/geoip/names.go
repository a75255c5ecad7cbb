package geoip

import (
	_ "embed"
	"strings"
	"sync"
)

// countriesText has a line "code code3 continent name" for each number of a
// country, regionsText a line "code name" for each region: the country's code
// and that of the region in it, of FIPS 10-4 or, in Canada and the United
// States, of ISO 3166-2. The databases have but the numbers and codes.
//
//go:embed countries.txt
var countriesText string

//go:embed regions.txt
var regionsText string

// land is a country; ascii is its name where UTF-8 was not asked for.
type land struct{ code, code3, continent, name, ascii string }

var countries = sync.OnceValue(func() []land {
	var all []land
	for line := range strings.Lines(countriesText) {
		f := strings.SplitN(strings.TrimSuffix(line, "\n"), " ", 4)
		all = append(all, land{f[0], f[1], f[2], f[3], strings.ReplaceAll(f[3], "ç", "c")})
	}
	return all
})

var regions = sync.OnceValue(func() map[string]string {
	all := make(map[string]string, strings.Count(regionsText, "\n"))
	for line := range strings.Lines(regionsText) {
		code, name, _ := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		all[code] = name
	}
	return all
})

// appendUTF8 appends a text in ISO 8859-1 as UTF-8.
func appendUTF8(dst, latin1 []byte) []byte {
	for _, c := range latin1 {
		dst = append(dst, string(rune(c))...)
	}
	return dst
}
