// Package spec runs the specifications of this folder: each *.txtar file (golang.org/x/tools/txtar) states one thing
// that the server does, as a configuration, some files, and a conversation with the running server. README.md beside
// this file describes the format.
//
// The same files run against Moongate and against a real nginx (the oracle): an expectation that nginx does not meet is
// wrong, unless the file says "moongate only" and why.
package spec

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/tools/txtar"
)

// Spec is one parsed specification file.
type Spec struct {
	Path  string // as given to Load
	Title string // the first line: what is specified

	MoongateOnly string           // the reason why a real nginx does not meet it; empty when it does
	Since        string           // the first nginx version that behaves so; older oracles skip the spec
	Needs        []string         // optional parts it uses: keys of needs
	Allows       []*regexp.Regexp // log lines at alert or emerg that the spec expects
	Environment  []string         // NAME=value that the server is started with
	Daemon       bool             // start without "daemon off", so the started command returns by itself

	Files []txtar.File // what goes into the prefix, the configuration included
	Steps []Step
}

// needs lists what a spec may ask for in its "needs:" line, with the modules that an oracle has to load for it.
// Everything but "root" and "ipv6" is always there in Moongate. For "certificate" see writeCertificates.
var needs = map[string][]string{
	"lua":          {"ndk_http_module.so", "ngx_http_lua_module.so"},
	"echo":         {"ngx_http_echo_module.so"},
	"headers-more": {"ngx_http_headers_more_filter_module.so"},
	"set-misc":     {"ndk_http_module.so", "ngx_http_set_misc_module.so"},
	"image_filter": {"ngx_http_image_filter_module.so"},
	"brotli":       {"ngx_http_brotli_filter_module.so", "ngx_http_brotli_static_module.so"},
	"geoip":        {"ngx_http_geoip_module.so"},
	"geoip2":       {"ngx_http_geoip2_module.so"},
	"stream":       {"ngx_stream_module.so"},
	"root":         nil,
	"ipv6":         nil,
	"certificate":  nil,
}

// programs are what else may be asked for: a spec is skipped where the program is not installed.
var programs = []string{"curl", "nghttp", "h2load", "openssl", "setpriv", "redis-server"}

// script is the name of the archive member that holds the exchanges.
const script = "exchanges"

// Load reads and parses one specification file. Errors name the file and the line.
func Load(path string) (*Spec, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	s, err := Parse(path, data)
	if err == nil && len(s.Steps) == 0 {
		err = fmt.Errorf("%s: no %q section", path, script)
	}
	return s, err
}

// Parse parses a specification; path is used in errors and failures only.
func Parse(path string, data []byte) (*Spec, error) {
	s := &Spec{Path: path}
	archive := txtar.Parse(data)
	if err := s.parseHead(string(archive.Comment)); err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	for _, f := range archive.Files {
		if f.Name != script {
			s.Files = append(s.Files, f)
			continue
		}
		if s.Steps != nil {
			return nil, fmt.Errorf("%s: a second %q section", path, script)
		}
		steps, err := parseSteps(string(f.Data), lineOf(data, "-- "+script+" --"))
		if err != nil {
			return nil, fmt.Errorf("%s:%w", path, err)
		}
		s.Steps = steps
	}
	return s, nil
}

// parseHead parses the comment before the first file: the title, then options and free text.
func (s *Spec) parseHead(head string) error {
	title, rest, _ := strings.Cut(head, "\n")
	if s.Title = strings.TrimSpace(title); s.Title == "" {
		return fmt.Errorf("the first line does not say what is specified")
	}
	for line := range strings.Lines(rest) {
		key, value, ok := strings.Cut(strings.TrimSpace(line), ":")
		if !ok {
			continue
		}
		value = strings.TrimSpace(value)
		switch key {
		case "moongate only":
			if value == "" {
				return fmt.Errorf("moongate only: needs a reason")
			}
			s.MoongateOnly = value
		case "since":
			s.Since = value
		case "needs":
			s.Needs = strings.FieldsFunc(value, func(r rune) bool { return r == ' ' || r == ',' })
			for _, n := range s.Needs {
				if _, known := needs[n]; !known && !slices.Contains(programs, n) {
					return fmt.Errorf("needs: %q is not known", n)
				}
			}
		case "allows":
			re, err := regexp.Compile(value)
			if err != nil {
				return fmt.Errorf("allows: %w", err)
			}
			s.Allows = append(s.Allows, re)
		case "environment":
			s.Environment = append(s.Environment, value)
		case "daemon":
			s.Daemon = value == "on"
		}
	}
	return nil
}

// lineOf returns the number of the line that reads exactly text, 0 when there is none.
func lineOf(data []byte, text string) int {
	for i, line := range bytes.Split(data, []byte("\n")) {
		if string(bytes.TrimRight(line, "\r ")) == text {
			return i + 1
		}
	}
	return 0
}

// Starts tells whether the spec has a configuration of its own, for which the server is started before the exchanges.
func (s *Spec) Starts() bool {
	return slices.ContainsFunc(s.Files, func(f txtar.File) bool { return skeletons[f.Name] != nil })
}
