package phase

import (
	"moongate/conf"
	"moongate/http"
	"moongate/lua/api"
)

// NewModule makes the HTTP module of all phases and settings.
func NewModule() *http.Module {
	m := &http.Module{
		Module: conf.Module{
			Name:       "http_lua",
			Slots:      append(Slots(), api.Main, api.Loc),
			Directives: append(Directives(), api.Directives()...),
			Arguments:  []string{"--add-module=ngx_devel_kit", "--add-module=lua-nginx-module"},
			Objects:    []string{"ndk_http_module.so", "ngx_http_lua_module.so"},
		},
		Ctx:  []http.AnyCtx{&api.RequestCtx},
		Body: BodyFilter,
	}
	m.Header = func(r *http.Request) http.Verdict { return HeaderFilter(r, m) }
	m.Init = func(cf *conf.Conf, main *http.MainConf) error {
		if err := Install(cf, main); err != nil {
			return err
		}
		if err := Start(cf, main); err != nil {
			return err
		}
		m.InitWorker = func(w *http.Worker) error {
			StartWorker(w, api.Main.Of(w.Main.Scope()), mainSlot.Of(w.Main.Scope()))
			return nil
		}
		m.ExitWorker = func(w *http.Worker) {
			ExitWorker(api.Main.Of(w.Main.Scope()).Engine, mainSlot.Of(w.Main.Scope()))
		}
		return nil
	}
	return m
}
