package main

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"strconv"
	"time"
)

// redisServer is a redis of the bench's own, which its cases share.
type redisServer struct {
	cmd  *exec.Cmd
	dir  string
	port int
}

// startRedis starts a redis that keeps nothing and has a key.
func startRedis(ctx context.Context) (*redisServer, error) {
	port, err := freePort(firstPort + os.Getpid()%5000)
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "bench-redis-")
	if err != nil {
		return nil, err
	}
	s := &redisServer{port: port, dir: dir}
	s.cmd = exec.CommandContext(ctx, "redis-server", "--bind", "127.0.0.1", "--port", strconv.Itoa(port), "--save", "",
		"--appendonly", "no", "--dir", dir)
	if err := s.cmd.Start(); err != nil {
		return nil, fmt.Errorf("%w (Debian package redis-server)", err)
	}
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if s.set("key", "the value of the key") == nil {
			return s, nil
		}
	}
	s.stop()
	return nil, fmt.Errorf("redis-server does not answer")
}

func (s *redisServer) set(key, value string) error {
	c, err := net.Dial("tcp", net.JoinHostPort("127.0.0.1", strconv.Itoa(s.port)))
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Second))
	if _, err := fmt.Fprintf(c, "SET %s %q\r\n", key, value); err != nil {
		return err
	}
	answer := make([]byte, 5)
	if _, err := c.Read(answer); err != nil {
		return err
	}
	if string(answer) != "+OK\r\n" {
		return fmt.Errorf("redis answers %q", answer)
	}
	return nil
}

func (s *redisServer) stop() {
	s.cmd.Process.Kill()
	s.cmd.Wait()
	os.RemoveAll(s.dir)
}
