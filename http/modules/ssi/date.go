package ssi

import (
	"moongate/core/strftime"
	"moongate/http"
)

// getDate is $date_local and $date_gmt, in the format of the page.
func getDate(r *http.Request, gmt any) http.Value {
	format := defaultTimeFormat
	if x := key.Of(r); x != nil && !x.only {
		format = x.timeFormat
	}
	now := r.Loop().Now()
	if format == "%s" {
		return http.Val(r.Pool.Int(now.Unix()))
	}
	if gmt.(bool) {
		now = now.UTC()
	} else {
		now = now.Local()
	}
	s := r.Pool.String(strftime.Append(nil, format, now))
	return http.Value{S: s, Found: s != ""}
}
