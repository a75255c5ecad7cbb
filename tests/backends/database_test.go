package backends

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"moongate/tests/spec"
)

// database is a server that the Lua libraries speak to over a unix domain socket, so that it comes back at the same
// address after it was killed.
type database struct {
	name   string
	socket string
	args   []string

	cmd *exec.Cmd
	out bytes.Buffer
}

// startDatabase starts a database that ends with the test.
func startDatabase(t *testing.T, d *database) *database {
	t.Helper()
	d.name = find(t, d.name)
	d.start(t)
	t.Cleanup(func() {
		d.kill()
		if t.Failed() {
			t.Logf("%s: %s", filepath.Base(d.name), d.out.String())
		}
	})
	return d
}

func (d *database) start(t *testing.T) {
	os.Remove(d.socket)
	d.cmd = exec.Command(d.name, d.args...)
	d.cmd.Stdout, d.cmd.Stderr = &d.out, &d.out
	if err := d.cmd.Start(); err != nil {
		t.Error(err)
		return
	}
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		if c, err := net.Dial("unix", d.socket); err == nil {
			c.Close()
			if err := os.Chmod(d.socket, 0o777); err != nil {
				t.Error(err)
			}
			return
		}
	}
	t.Errorf("%s does not listen: %s", d.name, d.out.String())
}

// kill is kill -9.
func (d *database) kill() {
	_ = d.cmd.Process.Kill()
	_ = d.cmd.Wait()
}

// asRoot are arguments that a program needs to run as root.
func asRoot(args ...string) []string {
	if os.Getuid() == 0 {
		return args
	}
	return nil
}

func redisServer(t *testing.T) *database {
	dir := spec.Folder(t)
	socket := filepath.Join(dir, "redis.sock")
	return startDatabase(t, &database{name: "redis-server", socket: socket, args: []string{
		"--port", "0", "--unixsocket", socket, "--unixsocketperm", "777", "--save", "", "--appendonly", "no", "--dir", dir}})
}

func memcachedServer(t *testing.T) *database {
	socket := filepath.Join(spec.Folder(t), "memcached.sock")
	return startDatabase(t, &database{name: "memcached", socket: socket,
		args: append([]string{"-s", socket, "-a", "777", "-U", "0", "-m", "16"}, asRoot("-u", "root")...)})
}

// mariadbServer starts a server without accounts, which needs no tables of its own.
func mariadbServer(t *testing.T) *database {
	dir := spec.Folder(t)
	socket := filepath.Join(dir, "mysql.sock")
	return startDatabase(t, &database{name: "mariadbd", socket: socket, args: append([]string{
		"--no-defaults", "--datadir=" + dir, "--socket=" + socket, "--skip-networking", "--skip-grant-tables",
		"--innodb-buffer-pool-size=8M", "--innodb-log-file-size=4M", "--innodb-flush-log-at-trx-commit=0",
		"--innodb-fast-shutdown=2", "--pid-file=" + filepath.Join(dir, "pid"),
		"--lc-messages-dir=/usr/share/mysql", "--performance-schema=OFF"}, asRoot("--user=root")...)})
}

// serveDatabase starts the server with Lua code for two locations: /use, a request of the load, and /check, which
// says "ok" when everything that the library can do works.
func serveDatabase(t *testing.T, d *database, connect, use, check string) *spec.Server {
	t.Helper()
	return start(t, `a database
moongate only: nginx has no such libraries
-- http.conf --
lua_socket_log_errors off;
lua_socket_connect_timeout 2s;
lua_socket_read_timeout 2s;
lua_socket_send_timeout 2s;
init_by_lua_block {
    socket = "unix:`+d.socket+`"
    function connect()
`+connect+`
    end
    function equal(got, want, what)
        if got ~= want then error(what .. ": " .. tostring(got) .. ", expected " .. tostring(want), 2) end
    end
}
server {
    listen 127.0.0.1:8080;
    location /use { content_by_lua_block {
        local ok, err = (function()
            local db, err = connect()
            if not db then return nil, err end
`+use+`
            return db:set_keepalive(10000, 8)
        end)()
        if ok then ngx.say("ok") else ngx.status = 502 ngx.say(err) end
    } }
    location /check { content_by_lua_block {
        local db = assert(connect())
`+check+`
        ngx.say("ok")
    } }
    # The sockets that this worker has to the database.
    location /sockets { content_by_lua_block {
        local n = 0
        for line in io.popen("ls -l /proc/" .. ngx.worker.pid() .. "/fd"):lines() do
            if line:find("socket:", 1, true) then n = n + 1 end
        end
        ngx.say(n)
    } }
}
`)
}

// load is what the answers to many parallel requests were.
type load struct{ ok, failed, late atomic.Int64 }

// hammer asks for a path from many clients at once until the context ends. A request that takes longer than limit hangs.
func hammer(ctx context.Context, l *load, url string, clients int, limit time.Duration) *sync.WaitGroup {
	var all sync.WaitGroup
	client := &http.Client{Timeout: limit, Transport: &http.Transport{MaxIdleConnsPerHost: clients}}
	for range clients {
		all.Go(func() {
			for ctx.Err() == nil {
				response, err := client.Get(url)
				if err != nil {
					l.late.Add(1)
					continue
				}
				text, _ := io.ReadAll(response.Body)
				response.Body.Close()
				switch {
				case response.StatusCode == 200 && string(text) == "ok\n":
					l.ok.Add(1)
				default:
					l.failed.Add(1)
				}
			}
			client.CloseIdleConnections()
		})
	}
	return &all
}

// Of the load: clients at once, and how long it goes on before and after each blow.
const (
	clients = 24
	phase   = 150 * time.Millisecond
)

// survive puts a server under load whose database is killed and comes back, twice: no request hangs, all succeed
// again, and no more sockets stay than the pool holds.
func survive(t *testing.T, s *spec.Server, d *database) {
	t.Helper()
	url := "http://" + s.Addr(8080)
	ask(t, "GET", url+"/check", nil).want(t, 200, "ok\n")
	idle := count(t, url)
	var l load
	ctx, stop := context.WithCancel(context.Background())
	all := hammer(ctx, &l, url+"/use", clients, 8*time.Second)
	time.Sleep(phase)
	if l.ok.Load() == 0 || l.failed.Load() > 0 {
		t.Errorf("under load: %d answers, %d failures", l.ok.Load(), l.failed.Load())
	}
	for range 2 {
		d.kill()
		time.Sleep(phase)
		d.start(t)
		before := l.ok.Load()
		for deadline := time.Now().Add(10 * time.Second); l.ok.Load() < before+clients; time.Sleep(time.Millisecond) {
			if time.Now().After(deadline) {
				t.Errorf("no success after the restart: %d answers, %d failures", l.ok.Load(), l.failed.Load())
				break
			}
		}
	}
	stop()
	all.Wait()
	if l.late.Load() > 0 || l.failed.Load() == 0 {
		t.Errorf("%d requests hung, %d failed while the database was away", l.late.Load(), l.failed.Load())
	}
	ask(t, "GET", url+"/check", nil).want(t, 200, "ok\n")
	// The pool keeps 8 of them; the clients' connections end with them, in their own time.
	for deadline := time.Now().Add(5 * time.Second); count(t, url) > idle+8; time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Errorf("%d sockets are open, %d before the load", count(t, url), idle)
			break
		}
	}
}

func count(t *testing.T, url string) (n int) {
	t.Helper()
	if _, err := fmt.Sscan(ask(t, "GET", url+"/sockets", nil).body, &n); err != nil {
		t.Error(err)
	}
	return n
}

func TestRedis(t *testing.T) {
	t.Parallel()
	d := redisServer(t)
	s := serveDatabase(t, d, `
        local db = require("resty.redis"):new()
        local ok, err = db:connect(socket, { pool_size = 8 })
        return ok and db, err`, `
            local key = "key:" .. math.random(100)
            local ok, err = db:set(key, "value")
            if not ok then return nil, err end
            local value, err = db:get(key)
            if value ~= "value" then return nil, err or "another value" end`, `
        equal(db:flushall(), "OK", "flushall")
        equal(db:get("none"), ngx.null, "no key")
        equal(db:incr("n"), 1, "incr")
        equal(select(2, db:lpush("n", 1)):sub(1, 9), "WRONGTYPE", "wrong type")
        db:init_pipeline()
        db:set("a", ("x"):rep(100000)) db:get("a") db:lpush("n", 1) db:mget("a", "none", "n")
        local r = db:commit_pipeline()
        equal(#r, 4, "pipeline") equal(#r[2], 100000, "long value") equal(r[3][1], false, "error in a pipeline")
        equal(r[4][2], ngx.null, "null in a list") equal(r[4][3], "1", "number in a list")
        db:multi() db:incr("n") db:incr("n")
        local t = db:exec()
        equal(t[1] + t[2], 5, "transaction")
        db:watch("n") connect():set("n", 9) db:multi() db:incr("n")
        equal(db:exec(), ngx.null, "a transaction that another one was faster than")
        equal(db:eval("return {KEYS[1], ARGV[1], 3}", 1, "k", "v")[3], 3, "eval")
        equal(db:hmset("h", { f = "1", g = "2" }), "OK", "hmset")
        equal(db:array_to_hash(db:hgetall("h")).g, "2", "hash")
        local sub = connect()
        equal(sub:subscribe("news")[3], 1, "subscribe")
        equal(db:publish("news", "hello"), 1, "publish")
        equal(sub:read_reply()[3], "hello", "message")
        sub:set_timeout(5)
        equal(select(2, sub:read_reply()), "timeout", "silence")
        sub:set_timeout(2000)
        equal(sub:unsubscribe("news")[1], "unsubscribe", "unsubscribe")
        equal(sub:set_keepalive(1000, 8), 1, "keepalive after unsubscribe")
        equal(connect():get_reused_times() > 0, true, "reuse")`)
	survive(t, s, d)
}

func TestMemcachedLua(t *testing.T) {
	t.Parallel()
	d := memcachedServer(t)
	s := serveDatabase(t, d, `
        local db = require("resty.memcached"):new()
        local ok, err = db:connect(socket)
        return ok and db, err`, `
            local key = "key:" .. math.random(100)
            local ok, err = db:set(key, "value")
            if not ok then return nil, err end
            local value, _, err = db:get(key)
            if value ~= "value" then return nil, err or "another value" end`, `
        equal(db:flush_all(), 1, "flush_all")
        equal(db:get("none"), nil, "no key")
        equal(db:set("k", "v", 0, 7), 1, "set")
        local value, flags = db:get("k")
        equal(value .. flags, "v7", "get")
        equal(select(2, db:add("k", "w")), "NOT_STORED", "add")
        equal(db:append("k", "w"), 1, "append")
        local _, _, cas = db:gets("k")
        equal(db:cas("k", "x", cas), 1, "cas")
        equal(select(2, db:cas("k", "y", cas)), "EXISTS", "old cas")
        db:set("n", 41)
        equal(db:incr("n", 1), "42", "incr")
        equal(db:get({ "k", "n", "none" }).n[1], "42", "several")
        db:set("long", ("x"):rep(200000))
        equal(#db:get("long"), 200000, "long value")
        equal(db:delete("k"), 1, "delete")
        equal(type(db:version()), "string", "version")
        equal(db:set_keepalive(1000, 8), 1, "keepalive")
        equal(connect():get_reused_times() > 0, true, "reuse")`)
	survive(t, s, d)
}

func TestMySQL(t *testing.T) {
	t.Parallel()
	d := mariadbServer(t)
	s := serveDatabase(t, d, `
        local db = require("resty.mysql"):new()
        local ok, err = db:connect { path = socket:sub(6), user = "root", database = "", charset = "utf8mb4", pool = "mysql" }
        return ok and db, err`, `
            local rows, err = db:query("SELECT 1 + 1 AS two, 'text' AS t, NULL AS n")
            if not rows then return nil, err end
            if rows[1].two ~= 2 or rows[1].t ~= "text" or rows[1].n ~= ngx.null then return nil, "another value" end`, `
        local function query(...) return assert(db:query(...)) end
        query("CREATE DATABASE IF NOT EXISTS t") query("USE t") query("DROP TABLE IF EXISTS x")
        query("CREATE TABLE x (id INT PRIMARY KEY AUTO_INCREMENT, v MEDIUMTEXT) ENGINE=InnoDB")
        local r = query("INSERT INTO x (v) VALUES ('a'), (NULL), (" .. ngx.quote_sql_str("it's") .. ")")
        equal(r.affected_rows, 3, "insert") equal(r.insert_id, 1, "insert_id")
        r = query("SELECT id, v FROM x ORDER BY id")
        equal(#r, 3, "rows") equal(r[2].v, ngx.null, "NULL") equal(r[3].v, "it's", "quoted")
        query("BEGIN") query("DELETE FROM x") query("ROLLBACK")
        equal(query("SELECT count(*) AS n FROM x")[1].n, 3, "transaction")
        local _, err, code, state = db:query("SELECT nonsense FROM x")
        equal(code, 1054, "errno") equal(state, "42S22", "sqlstate")
        assert(db:send_query("SELECT 1; SELECT 2; SELECT 3"))
        local res, again = db:read_result()
        equal(again, "again", "several results")
        res, again = db:read_result() res, again = db:read_result()
        equal(again, nil, "last result")
        query("INSERT INTO x (v) VALUES ('" .. ("x"):rep(300000) .. "')")
        equal(#query("SELECT v FROM x ORDER BY id DESC LIMIT 1")[1].v, 300000, "long value")
        db.compact = true
        equal(query("SELECT 7")[1][1], 7, "compact")
        equal(db:set_keepalive(1000, 8), 1, "keepalive")
        equal(connect():get_reused_times() > 0, true, "reuse")`)
	survive(t, s, d)
}
