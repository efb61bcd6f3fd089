package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
)

type bodies struct {
	Operations   map[string]string
	Structs      map[string]map[string]string
	LegacyFields map[string]map[string]string `json:"legacy_fields"`
}

var (
	schema bodies
	made   = map[string]reflect.Type{}
)

// strSlice reads as moby's strslice.StrSlice of daemons up to 28 does: one string is a list of one.
type strSlice []string

func (s *strSlice) UnmarshalJSON(text []byte) error {
	var list []string
	if err := json.Unmarshal(text, &list); err == nil {
		*s = list
		return nil
	}
	var one string
	if err := json.Unmarshal(text, &one); err != nil {
		return err
	}
	*s = strSlice{one}
	return nil
}

// readBody answers what the daemon decodes an operation's body to. Members that are absent or null are absent; a float32
// is its bits.
func readBody(operation string, body []byte) string {
	return decode(typeOf(schema.Operations[operation]), body)
}

// decode does what httputils.ReadJSON does.
func decode(of reflect.Type, body []byte) string {
	into := reflect.New(of)
	decoder := json.NewDecoder(bytes.NewReader(body))
	if err := decoder.Decode(into.Interface()); err != nil || decoder.More() {
		return "-"
	}
	text, err := json.Marshal(plain(into.Elem()))
	check(err)
	return string(text)
}

// typeOf makes a type such as `list<struct:mount.Mount>`.
func typeOf(kind string) reflect.Type {
	switch kind {
	case "bool":
		return reflect.TypeOf(false)
	case "string":
		return reflect.TypeOf("")
	case "int", "int64":
		return reflect.TypeOf(int64(0))
	case "uint", "uint64":
		return reflect.TypeOf(uint64(0))
	case "uint32":
		return reflect.TypeOf(uint32(0))
	case "uint16":
		return reflect.TypeOf(uint16(0))
	case "float32":
		return reflect.TypeOf(float32(0))
	case "base64":
		return reflect.TypeOf([]byte{})
	case "strslice":
		return reflect.TypeOf(strSlice{})
	case "list<uint>":
		return reflect.TypeOf([2]uint64{})
	}
	inner := func(start string) (string, bool) {
		rest := strings.TrimPrefix(kind, start)
		return strings.TrimSuffix(rest, ">"), rest != kind
	}
	if _, found := inner("custom:"); found {
		return reflect.TypeOf("")
	}
	if item, found := inner("list<"); found {
		return reflect.SliceOf(typeOf(item))
	}
	if value, found := inner("map<"); found {
		return reflect.MapOf(reflect.TypeOf(""), typeOf(value))
	}
	name, found := inner("struct:")
	if !found {
		panic("unknown kind " + kind)
	}
	return structOf(name)
}

// structOf makes a structure whose members are pointers, so that one that is absent differs from one that is zero.
func structOf(name string) reflect.Type {
	if done, found := made[name]; found {
		return done
	}
	var fields []reflect.StructField
	for _, members := range []map[string]string{schema.Structs[name], schema.LegacyFields[name]} {
		for member, kind := range members {
			of := typeOf(kind)
			if of.Kind() != reflect.Slice && of.Kind() != reflect.Map {
				of = reflect.PointerTo(of)
			}
			fields = append(fields, reflect.StructField{
				Name: fmt.Sprintf("F%d", len(fields)),
				Type: of,
				Tag:  reflect.StructTag(fmt.Sprintf("json:%q", member)),
			})
		}
	}
	made[name] = reflect.StructOf(fields)
	return made[name]
}

// plain is the value without what is nil.
func plain(value reflect.Value) any {
	switch value.Kind() {
	case reflect.Pointer:
		return plain(value.Elem())
	case reflect.Float32:
		return math.Float32bits(float32(value.Float()))
	case reflect.Struct:
		members := map[string]any{}
		for i := 0; i < value.NumField(); i++ {
			if member := value.Field(i); !member.IsNil() {
				members[value.Type().Field(i).Tag.Get("json")] = plain(member)
			}
		}
		return members
	case reflect.Map:
		if value.IsNil() {
			return nil
		}
		members := map[string]any{}
		for _, key := range value.MapKeys() {
			members[key.String()] = plain(value.MapIndex(key))
		}
		return members
	case reflect.Slice, reflect.Array:
		if value.Kind() == reflect.Slice && (value.IsNil() || value.Type().Elem().Kind() == reflect.Uint8) {
			return value.Interface()
		}
		items := []any{}
		for i := 0; i < value.Len(); i++ {
			items = append(items, plain(value.Index(i)))
		}
		return items
	}
	return value.Interface()
}
