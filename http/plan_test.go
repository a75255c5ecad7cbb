package http

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"moongate/conf"
)

func TestPlanLeavesOutIdleParts(t *testing.T) {
	here, there := &conf.Scope{}, &conf.Scope{}
	onlyHere := func(sc *conf.Scope) bool { return sc == here }
	handler := func(*Request) Verdict { return Declined }

	m := &MainConf{Options: &Options{HeaderFilters: []*Module{{Where: onlyHere}, {}}}}
	m.Handle(PhasePreAccess, onlyHere, handler)
	m.Handle(PhaseContent, nil, handler)
	m.HandleFirst(PhaseContent, onlyHere, handler)
	m.Handle(PhaseLog, onlyHere, handler)
	m.engine.build(&m.handlers)

	// find-config, post-rewrite, pre-access, post-access, content (only here), content, the end
	for _, c := range []struct {
		sc          *conf.Scope
		next        []uint16
		filters, at int
	}{
		{here, []uint16{0, 1, 2, 3, 4, 5, 6}, 2, 1},
		{there, []uint16{0, 1, 3, 3, 5, 5, 6}, 1, 0},
	} {
		p := m.planOf(c.sc)
		if d := cmp.Diff(c.next, p.next); d != "" {
			t.Errorf("steps (-want +got):\n%s", d)
		}
		if len(p.header) != c.filters || len(p.log) != c.at {
			t.Errorf("%d header filters and %d log handlers, want %d and %d", len(p.header), len(p.log), c.filters, c.at)
		}
		if m.planOf(c.sc) != p {
			t.Error("a second plan was made")
		}
	}
	if m.planOf(&conf.Scope{}) != m.planOf(there) {
		t.Error("scopes with the same parts do not share a plan")
	}
}
