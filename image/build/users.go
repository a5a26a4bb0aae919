package main

import (
	"fmt"
	"sort"
	"strconv"
	"strings"

	"github.com/tutti-audio/tutti/image/rootfs"
)

// users makes /etc/passwd, group and shadow: the fixed ones of base-passwd, then
// those that sysusers.d(5) asks for, numbered downwards from 999 in the order of
// their names. Nobody has a password.
type users struct {
	passwd, group []string
	uids, gids    map[string]int
	members       map[string][]string
	next          int
}

func makeUsers(t *rootfs.Tree) error {
	u := &users{uids: map[string]int{}, gids: map[string]int{}, members: map[string][]string{}, next: 999}
	for file, list := range map[string]*[]string{"passwd": &u.passwd, "group": &u.group} {
		b, err := t.Read("usr/share/base-passwd/" + file + ".master")
		if err != nil {
			return err
		}
		*list = strings.Split(strings.TrimSpace(string(b)), "\n")
	}
	u.index(u.passwd, u.uids)
	u.index(u.group, u.gids)
	lines, err := u.asked(t)
	if err != nil {
		return err
	}
	for _, fields := range lines {
		if err := u.apply(fields); err != nil {
			return err
		}
	}
	u.write(t)
	return nil
}

func (u *users) index(lines []string, ids map[string]int) {
	for _, line := range lines {
		if f := strings.Split(line, ":"); len(f) > 2 {
			ids[f[0]], _ = strconv.Atoi(f[2])
		}
	}
}

// asked returns the lines of sysusers.d, groups first.
func (u *users) asked(t *rootfs.Tree) (all [][]string, err error) {
	for _, name := range t.List("usr/lib/sysusers.d/") {
		b, err := t.Read(name)
		if err != nil {
			continue // the folder
		}
		for _, line := range strings.Split(string(b), "\n") {
			if f := strings.Fields(line); len(f) >= 2 && !strings.HasPrefix(f[0], "#") {
				f[0] = strings.TrimSuffix(f[0], "!")
				all = append(all, f)
			}
		}
	}
	order := map[string]int{"g": 0, "u": 1, "m": 2}
	sort.SliceStable(all, func(i, j int) bool {
		if x, y := order[all[i][0]], order[all[j][0]]; x != y {
			return x < y
		}
		return all[i][1] < all[j][1]
	})
	return all, nil
}

// apply follows one line: type, name, ID and, for a user, GECOS, home and shell.
func (u *users) apply(f []string) error {
	id := "-"
	if len(f) > 2 {
		id = f[2]
	}
	switch f[0] {
	case "g":
		u.addGroup(f[1], id)
	case "u":
		u.addUser(f[1], id, strings.Join(f, " "))
	case "m":
		if len(f) < 3 {
			return fmt.Errorf("sysusers: %q names no group", strings.Join(f, " "))
		}
		u.addGroup(f[2], "-")
		u.addUser(f[1], "-", "")
		u.members[f[2]] = append(u.members[f[2]], f[1])
	}
	return nil
}

// number is the ID that a line asks for, or the next free one.
func (u *users) number(id string) int {
	if n, err := strconv.Atoi(id); err == nil {
		return n
	}
	for used := true; used; {
		used = false
		for _, ids := range []map[string]int{u.uids, u.gids} {
			for _, n := range ids {
				used = used || n == u.next
			}
		}
		if used {
			u.next--
		}
	}
	return u.next
}

func (u *users) addGroup(name, id string) int {
	if n, ok := u.gids[name]; ok {
		return n
	}
	n := u.number(id)
	u.gids[name] = n
	u.group = append(u.group, fmt.Sprintf("%s:x:%d:", name, n))
	return n
}

func (u *users) addUser(name, id, line string) {
	if _, ok := u.uids[name]; ok {
		return
	}
	id, group, hasGroup := strings.Cut(id, ":")
	gid, known := u.gids[group]
	if n, err := strconv.Atoi(group); err == nil {
		gid, known = n, true
	}
	if !hasGroup || !known {
		gid = u.addGroup(name, id)
	}
	n := gid
	if v, err := strconv.Atoi(id); err == nil {
		n = v
	}
	home, shell := "/", "/usr/sbin/nologin"
	if _, after, ok := strings.Cut(line, `"`); ok { // GECOS is quoted; what follows is home and shell
		_, after, _ = strings.Cut(after, `"`)
		if rest := strings.Fields(after); len(rest) > 0 && rest[0] != "-" {
			home = rest[0]
		}
	}
	u.uids[name] = n
	u.passwd = append(u.passwd, fmt.Sprintf("%s:!*:%d:%d::%s:%s", name, n, gid, home, shell))
}

func (u *users) write(t *rootfs.Tree) {
	for i, line := range u.group {
		name, _, _ := strings.Cut(line, ":")
		u.group[i] = line + strings.Join(u.members[name], ",")
	}
	var shadow strings.Builder
	for _, line := range u.passwd {
		name, _, _ := strings.Cut(line, ":")
		shadow.WriteString(name + ":!*:20000:0:99999:7:::\n")
	}
	for i, line := range u.passwd {
		f := strings.Split(line, ":")
		f[1] = "x"
		if f[0] == "root" {
			f[6] = "/bin/sh" // there is no bash
		}
		u.passwd[i] = strings.Join(f, ":")
	}
	t.Put("etc/passwd", 0o644, []byte(strings.Join(u.passwd, "\n")+"\n"))
	t.Put("etc/group", 0o644, []byte(strings.Join(u.group, "\n")+"\n"))
	t.Put("etc/shadow", 0o600, []byte(shadow.String()))
}
