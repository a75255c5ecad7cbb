package memc

import (
	"net/http"
	"strings"
	"testing"
)

func TestAnswers(t *testing.T) {
	for _, c := range []struct {
		command, line string
		want          outcome
	}{
		{"set", "STORED", http.StatusCreated},
		{"add", "NOT_STORED", http.StatusOK},
		{"replace", "EXISTS", http.StatusOK},
		{"append", "NOT_FOUND", http.StatusNotFound},
		{"set", "STORED ", invalid},
		{"delete", "DELETED", http.StatusOK},
		{"delete", "NOT_FOUND", http.StatusNotFound},
		{"incr", "15", http.StatusCreated},
		{"decr", "4  ", http.StatusCreated},
		{"decr", "  ", invalid},
		{"incr", "1x", invalid},
		{"incr", "NOT_FOUND", http.StatusNotFound},
		{"flush_all", "OK", http.StatusOK},
		{"version", "VERSION 1.6", http.StatusOK},
		{"version", "1.6", invalid},
		{"stats", "STAT pid 1", more},
		{"stats", "END", http.StatusOK},
		{"stats", "", invalid},
	} {
		if got := commands[c.command].answer([]byte(c.line)); got != c.want {
			t.Errorf("%s: %q is %d, want %d", c.command, c.line, got, c.want)
		}
	}
}

func TestFailures(t *testing.T) {
	for line, want := range map[string]outcome{
		"ERROR": http.StatusBadGateway, "CLIENT_ERROR bad": http.StatusBadGateway, "SERVER_ERROR out of memory": http.StatusBadGateway,
		"ERROR ": invalid, "CLIENT_ERROR": invalid, "": invalid,
	} {
		if got := failed([]byte(line)); got != want {
			t.Errorf("%q is %d, want %d", line, got, want)
		}
	}
}

func TestDecimal(t *testing.T) {
	for s, want := range map[string]bool{
		"": true, "0": true, "4294967295": true, "42949672950": false, "-1": false, "1 ": false, strings.Repeat("9", 11): false,
	} {
		if decimal(s, digits32) != want {
			t.Errorf("%q: %v", s, !want)
		}
	}
}
