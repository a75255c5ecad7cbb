package conf

import (
	"slices"
	"testing"
)

func TestKnownNamesAreSorted(t *testing.T) {
	if !slices.IsSorted(knownNames) {
		t.Error("knownNames must be sorted")
	}
	if n := len(slices.Compact(slices.Clone(knownNames))); n != len(knownNames) {
		t.Errorf("%d names, %d of them different", len(knownNames), n)
	}
}

func TestKnown(t *testing.T) {
	for name, want := range map[string]bool{
		"listen": true, "content_by_lua_block": true, "xslt_stylesheet": true, "preread_buffer_size": true,
		"echo_sleep": true, "ssl_preread": true, "smtp_auth": true, "": false, "lisen": false, "User-Agent": false,
	} {
		if known(name) != want {
			t.Errorf("known(%q) = %v", name, !want)
		}
	}
}

func TestAbsence(t *testing.T) {
	for name, want := range map[string]string{
		"perl_set": "has no Perl interpreter; Lua is there", "xml_entities": "has no XSLT processor, since there is none in Go",
		"xclient": "does not yet",
	} {
		if got := absence(name); got != want {
			t.Errorf("%s: %q", name, got)
		}
	}
}
