// Package defaults embeds the configuration that the server is shipped with:
// nginx.conf and what it includes, the parameter files of the gateway
// protocols, character maps and two pages.
package defaults

import "embed"

// Files has the shipped files at their names below the folder of nginx.conf;
// the pages are in html/.
//
//go:embed nginx.conf mime.types fastcgi.conf fastcgi_params scgi_params uwsgi_params koi-utf koi-win win-utf html
var Files embed.FS
