package differential

import (
	"encoding/base64"
	"fmt"
	"strings"
)

// passwords are entries of a user file, all of the password "secret", but for those that are none.
const passwords = `plain:{PLAIN}secret
sha:{SHA}5en6G6MezRroT3XKqkdPOmY/BfQ=
ssha:{SSHA}9q+vwISg3iqQqWSnTz/UDm1PWTZzYWx0
apr:$apr1$salt$HoUFzMbBjsYS/6BvFELHe.
md5:$1$salt$rIgyREzVaYAuk1EM9DP4Y/
des:abFZSxKKdq5s2
empty:
comment:{PLAIN}secret:more
nothing
short:{SSHA}AAAA
bad:{SSHA}!!!!
wrong:$apr1$
#plain2:{PLAIN}secret
 space:{PLAIN}secret
`

// authPlan: Authorization fields against a file of users, with the other modules of the access phase.
func authPlan(d *dice) *plan {
	p := &plan{files: map[string]string{"users": passwords + "last:{PLAIN}secret", "folder/": ""}}
	var text strings.Builder
	text.WriteString("server { listen 127.0.0.1:8080;\n" + d.maybe(30, "satisfy any;\n"))
	for i := range 6 {
		fmt.Fprintf(&text, "location /%d { %s%s%s%s return 200 ok; error_page 403 = @ok; location /%d/n { %s %s } }\n", i,
			"auth_basic "+d.of("realm", `"a \"b\""`, "off", `""`, "$arg_r")+"; ", "auth_basic_user_file "+d.mostly("ROOT/users", 20, []string{"ROOT/nope", "ROOT/folder", "ROOT/$arg_f"})+"; ",
			d.maybe(50, "satisfy "+d.of("any", "all")+"; "), d.accessRules(), i, d.accessRules(), d.maybe(40, "auth_basic off;"))
	}
	p.http = strings.ReplaceAll(text.String(), "return 200 ok;", "root ROOT; index users;") + `
location @ok { return 200 "$remote_user|$status\n"; }
location = /good { return 204; } location = /deny { return 403; } location = /login { return 401; } location = /fails { return 500; }
}
`
	for range 100 {
		user := d.of("plain", "sha", "ssha", "apr", "md5", "des", "empty", "comment", "nothing", "short", "bad", "wrong", "plain2", "#plain2", "space", " space", "last", "nobody", "", "é", "a\nb", strings.Repeat("u", 300))
		plain := user + d.mostly(":", 6, []string{"", "::"}) + d.mostly("secret", 25, []string{"", "Secret", "secret ", "secret:more", strings.Repeat("p", 9000), "sécret", "\x00"})
		coded := base64.StdEncoding.EncodeToString([]byte(plain))
		if d.chance(10) {
			coded = d.of(coded[:len(coded)/2], coded+"=", " "+coded, coded+" x", strings.TrimRight(coded, "="), "!"+coded, "", base64.URLEncoding.EncodeToString([]byte(plain)))
		}
		field := "Authorization: " + d.mostly("Basic ", 12, []string{"basic ", "Basic", "Basic  ", "Digest ", "BASIC\t", ""}) + coded
		uri := fmt.Sprintf("/%d/%s", d.IntN(6), d.of("users", "", "n", "n/users", "nope")) + d.of("", "?r=off", "?r=x", "?f=users", "?f=nope&r=y")
		p.asks = append(p.asks, request(d.mostly("GET", 10, []string{"HEAD", "POST"})+" "+uri, field))
	}
	return p
}

func (d *dice) accessRules() string {
	rules := d.several(0, 3, "", func() string {
		return d.of("allow", "deny") + " " + d.of("all", "127.0.0.1", "127.0.0.0/8", "10.0.0.0/8", "::1", "2001:db8::/32", "unix:") + "; "
	})
	return rules + d.maybe(30, "auth_request "+d.of("/good", "/deny", "/login", "/fails", "off")+"; ")
}
