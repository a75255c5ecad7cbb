package http

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

var errorPageComplaints = []says{
	{`error_page 299 /x;`, `value "299" must be between 300 and 599`, ""},
	{`error_page 404 600 /x;`, `value "600" must be between 300 and 599`, ""},
	{`error_page x /x;`, `invalid value "x"`, ""},
	{`error_page 499 /x;`, `invalid value "499"`, ""},
	{`error_page = /x;`, `invalid value "="`, ""},
	{`error_page 404 =x /x;`, `invalid value "=x"`, ""},
	{`error_page /x;`, `invalid number of arguments in "error_page" directive`, ""},
	{`error_page 404 /x; no_error_pages;`, `"no_error_pages" directive conflicts with "error_page"`, ""},
	{`no_error_pages; error_page 404 /x;`, `"error_page" directive conflicts with "no_error_pages"`, ""},
	{`no_error_pages; no_error_pages;`, `"no_error_pages" directive is duplicate`, ""},
	{`error_page 404 ${x;`, `the closing bracket in "x" variable is missing`, ""},
}

// TestErrorPages reads all forms, and inherits none where there are own ones.
func TestErrorPages(t *testing.T) {
	m := mustLoad(t, `error_page 404 405 /x?a=b; error_page 500 =200 @named; error_page 497 https://$host/; error_page 403 = /y;
		server { listen 80; location /own { error_page 404 /z; } }`)
	type page struct {
		Status, Overwrite int
		Value, Args       string
	}
	pages := func(l *LocConf) (list []page) {
		for _, p := range l.ErrorPages {
			list = append(list, page{p.Status, p.Overwrite, p.Value.Text, p.Args})
		}
		return list
	}
	r := testRequest(t, m)
	want := []page{
		{404, -1, "/x", "a=b"}, {405, -1, "/x", "a=b"}, {500, 200, "@named", ""}, {497, 400, "https://$host/", ""}, {403, 0, "/y", ""},
	}
	if diff := cmp.Diff(want, pages(r.Core)); diff != "" {
		t.Error(diff)
	}
	route(r, "/own")
	if diff := cmp.Diff([]page{{404, -1, "/z", ""}}, pages(r.Core)); diff != "" {
		t.Error(diff)
	}
}
