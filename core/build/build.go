// Package build holds what is decided when the binary is built: the version and the paths that nginx takes from its
// configure script. Every variable is set with -ldflags "-X moongate/core/build.Prefix=…"; `make build` does so from
// its variables PREFIX, CONF_PATH, SBIN_PATH and so on. The values here are the defaults of nginx's configure
// (auto/options, auto/init of its source): a relative path is relative to Prefix.
package build

// Version is the version of Moongate itself, as in "nginx version: nginx/1.31.3 (moongate VERSION)".
var Version = "0.1.0"

// Paths, each named by the option of nginx's configure script that it stands for.
var (
	Prefix       = "/usr/local/nginx" // --prefix: what -p overrides
	SbinPath     = "sbin/nginx"       // --sbin-path: where `make install` puts the binary
	ModulesPath  = "modules"          // --modules-path: what load_module paths usually begin with
	ConfPath     = "conf/nginx.conf"  // --conf-path: what -c overrides
	ErrorLogPath = "logs/error.log"   // --error-log-path: what -e and error_log override; "stderr" is allowed
	HTTPLogPath  = "logs/access.log"  // --http-log-path: the access_log of a configuration without one
	PidPath      = "logs/nginx.pid"   // --pid-path: what the pid directive overrides
	LockPath     = "logs/nginx.lock"  // --lock-path: what the lock_file directive overrides
	User         = "nobody"           // --user: what the user directive overrides
	Group        = ""                 // --group: empty means the group of User, as in nginx's configure
	ClientBody   = "client_body_temp" // --http-client-body-temp-path
	ProxyTemp    = "proxy_temp"       // --http-proxy-temp-path
	FastCGITemp  = "fastcgi_temp"     // --http-fastcgi-temp-path
	UWSGITemp    = "uwsgi_temp"       // --http-uwsgi-temp-path
	SCGITemp     = "scgi_temp"        // --http-scgi-temp-path
)

// NginxVersion is the release of nginx whose behaviour Moongate has; it is what Server headers and $nginx_version say.
const NginxVersion = "1.31.3"

// OpenSSLVersion is the release of OpenSSL whose features and words TLS has; certbot and others read it from -V.
const OpenSSLVersion = "3.0.2"

// Build is nginx's --build, a name for what was built. Server and ServerBuild are what server_tokens on and build show.
const (
	Build       = "moongate"
	Server      = "nginx/" + NginxVersion
	ServerBuild = Server + " (" + Build + ")"
)
