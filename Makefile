# Moongate: `make help` says what there is to do.

GO          ?= go
PREFIX      ?= /usr/local/nginx
SBIN_PATH   ?= sbin/nginx
CONF_PATH   ?= conf/nginx.conf
DESTDIR     ?=
STATICCHECK ?= honnef.co/go/tools/cmd/staticcheck@v0.8.2
FUZZTIME    ?= 15s
BENCHFLAGS  ?=
PGOCASES    ?= return|file-1k|file-100k|proxy|cache|lua-[hpdrci]

# What -ldflags sets in core/build; an empty variable leaves nginx's default.
PATHS = Version=$(VERSION) Prefix=$(PREFIX) SbinPath=$(SBIN_PATH) ConfPath=$(CONF_PATH) ModulesPath=$(MODULES_PATH) \
	ErrorLogPath=$(ERROR_LOG_PATH) HTTPLogPath=$(HTTP_LOG_PATH) PidPath=$(PID_PATH) LockPath=$(LOCK_PATH) \
	User=$(NGINX_USER) Group=$(NGINX_GROUP) ClientBody=$(CLIENT_BODY_TEMP_PATH) ProxyTemp=$(PROXY_TEMP_PATH) \
	FastCGITemp=$(FASTCGI_TEMP_PATH) UWSGITemp=$(UWSGI_TEMP_PATH) SCGITemp=$(SCGI_TEMP_PATH)
LDFLAGS = -s -w $(foreach p,$(filter-out %=,$(PATHS)),-X moongate/core/build.$(p))

export CGO_ENABLED = 0

# Specifications are not cached: Go does not know that they depend on the binary. Most of their time is waiting.
COUNTED = $(GO) test -json -count=1 -parallel 8

.DEFAULT_GOAL := help
.PHONY: help build run test test-oracle test-directives test-differential bench pgo race fuzz lint install clean

help: ## print this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## (.*)/  make \1\t\2/' | expand -t 22
	@echo "Variables: PREFIX SBIN_PATH CONF_PATH ERROR_LOG_PATH HTTP_LOG_PATH PID_PATH LOCK_PATH … (core/build)"

build: ## build the static binary ./moongate
	$(GO) build -trimpath -ldflags '$(LDFLAGS)' -o moongate .

run: build ## serve the tour on http://localhost:8080 in the foreground
	@cat conf/default/tour/README 2>/dev/null || echo "The tour is on http://localhost:8080/ — stop it with ^C."
	@mkdir -p objs/tour/logs
	./moongate -p objs/tour -c '$(CURDIR)/conf/default/tour/nginx.conf' -e stderr -g 'daemon off;'

test: ## run every test: units, architecture, specifications
	@tests/needs test
	@$(COUNTED) ./... | $(GO) run ./tests/tally

test-oracle: ## run the specifications against the real nginx (MOONGATE_ORACLE=/path/to/nginx)
	@tests/needs oracle
	@export MOONGATE_ORACLE="$${MOONGATE_ORACLE:-$$(command -v nginx || echo /usr/sbin/nginx)}"; \
		{ $(COUNTED) ./tests/spec ./tests/process ./tests/differential; $(COUNTED) -run 'TestOdd|TestShared' ./tests/backends; } | $(GO) run ./tests/tally

test-directives: ## compare what -t says of every directive with the real nginx; takes minutes (DIRECTIVES=http_access/allow for one)
	@tests/needs oracle
	@export MOONGATE_ORACLE="$${MOONGATE_ORACLE:-$$(command -v nginx || echo /usr/sbin/nginx)}"; \
		$(COUNTED) -run 'TestDirectives/$(DIRECTIVES)' -timeout 1h ./tests/directives | $(GO) run ./tests/tally

test-differential: ## send random requests to Moongate and the real nginx for some minutes (SEED=7 TIMES=50 for others, and as many)
	@tests/needs oracle
	@$(COUNTED) -timeout 1h ./tests/differential -args -seed $(or $(SEED),2) -times $(or $(TIMES),20) | $(GO) run ./tests/tally

bench: build ## measure Moongate beside the real nginx (BENCHFLAGS='-case lua -duration 2s')
	@tests/needs bench
	$(GO) run ./tests/bench -moongate ./moongate $(BENCHFLAGS)

pgo: ## renew default.pgo, the profile that the compiler optimises for, from the cases of make bench
	@tests/needs bench
	$(GO) build -pgo=off -trimpath -ldflags '$(LDFLAGS)' -o objs/pgo/moongate .
	$(GO) run ./tests/bench -moongate objs/pgo/moongate -profile '$(CURDIR)/objs/pgo/p' -case '$(PGOCASES)' -duration 4s -rounds 1
	$(GO) tool pprof -proto objs/pgo/p-*.prof* >default.pgo

# PCRE2 was translated from C: its pointers are into memory that is not Go's, which checkptr does not know.
UNCHECKED = -gcflags=go.elara.ws/pcre/...=-d=checkptr=0 -gcflags=modernc.org/...=-d=checkptr=0

race: ## run the unit tests under the race detector, in random order (needs a C compiler; not those of the whole server, which count allocations)
	@export CGO_ENABLED=1; $(COUNTED) -race -shuffle=on $(UNCHECKED) $$($(GO) list ./... | grep -v -e /tests/ -e '^moongate$$') | \
		CGO_ENABLED=0 $(GO) run ./tests/tally

fuzz: ## run every fuzz target for FUZZTIME
	@tests/fuzz $(FUZZTIME)

lint: ## gofmt, go vet, staticcheck
	@unformatted=$$(gofmt -l .); test -z "$$unformatted" || { echo "gofmt would change:"; echo "$$unformatted"; exit 1; }
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...

# An absolute path stands for itself, any other is below PREFIX.
under = $(DESTDIR)$(if $(filter /%,$(1)),$(1),$(PREFIX)/$(1))

install: build ## install the binary, and the configuration where there is none yet (DESTDIR is honoured)
	install -D -m 755 moongate '$(call under,$(SBIN_PATH))'
	install -d '$(DESTDIR)$(PREFIX)/logs' '$(dir $(call under,$(CONF_PATH)))'
	@for f in conf/default/*; do test -d "$$f" || case "$$f" in *.go) ;; *) \
		to='$(dir $(call under,$(CONF_PATH)))'"$${f##*/}"; test -e "$$to" || install -m 644 "$$f" "$$to";; esac; done
	@test -d '$(DESTDIR)$(PREFIX)/html' || { install -d '$(DESTDIR)$(PREFIX)/html'; \
		test ! -d conf/default/html || cp -R conf/default/html/. '$(DESTDIR)$(PREFIX)/html/'; }

clean: ## remove what the build left
	rm -rf moongate objs
