package spec

import (
	"fmt"
	"strings"
)

// skeletons are the archive members that become conf/nginx.conf, each by the function that wraps its text into a whole
// configuration. main is the text of main.conf.
var skeletons = map[string]func(main, text string) string{
	"nginx.conf": func(_, text string) string { return text },
	"http.conf":  httpSkeleton,
	"server.conf": func(main, text string) string {
		return httpSkeleton(main, fmt.Sprintf("server {\n    listen 127.0.0.1:8080;\n    server_name localhost;\n%s\n}\n", text))
	},
}

func httpSkeleton(main, text string) string {
	return fmt.Sprintf(`worker_processes 1;
error_log logs/error.log info;
%s
events {
    worker_connections 1000;
}
http {
    client_body_temp_path client_body_temp;
    access_log logs/access.log combined;
    %s
}
`, main, text)
}

// configuration returns the text of conf/nginx.conf for a spec that Starts.
func (s *Spec) configuration() string {
	var main string
	for _, f := range s.Files {
		if f.Name == "main.conf" {
			main = string(f.Data)
		}
	}
	for _, f := range s.Files {
		if wrap := skeletons[f.Name]; wrap != nil {
			return wrap(main, string(f.Data))
		}
	}
	return ""
}

// isConfiguration tells whether an archive member becomes part of conf/nginx.conf instead of a file in the prefix.
func isConfiguration(name string) bool {
	return name == "main.conf" || skeletons[name] != nil
}

// sets tells whether the configuration text sets the main-level directive name itself.
func sets(text, name string) bool {
	for line := range strings.Lines(text) {
		if rest, ok := strings.CutPrefix(strings.TrimSpace(line), name); ok && strings.HasPrefix(rest, " ") {
			return true
		}
	}
	return false
}
