package http

import "testing"

// TestVariablePanics: however many getters panic, the variables of other
// requests have their values.
func TestVariablePanics(t *testing.T) {
	m := mustLoad(t, `server { listen 80; early_hints $host; }`)
	host := m.vars.byIndex["host"]
	get := host.Get
	host.Get = func(*Request, any) Value { panic("told to") }
	conn := testRequest(t, m).Conn
	for range maxVariableDepth {
		r := conn.NewRequest(nil)
		r.EnterDefaultServer()
		func() {
			defer func() {
				if recover() == nil {
					t.Error("no panic")
				}
			}()
			host.Value(r)
		}()
	}
	host.Get = get
	r := conn.NewRequest(nil)
	r.EnterDefaultServer()
	r.HostName = "example.com"
	if v := host.Value(r); v.S != "example.com" {
		t.Errorf("$host is %q", v.S)
	}
}
