// SPDX-License-Identifier: MIT
/** @file shmstream/dict.hpp
 * Dicts for C++17: records by key that processes share.
 *
 *     shms::dict config("config", 1 << 20);
 *     config.set("colour", "blue");
 *     config.get("colour").value_or("none");                        // "blue"
 *     config.set("session", "4711", shms::how().ttl(30min));
 *     config.add("visits");                                         // 1
 *
 * Each call is the C call of its name in dict.h; shmstream.hpp says what differs in C++.
 */
#ifndef SHMSTREAM_DICT_HPP
#define SHMSTREAM_DICT_HPP

#include "../shmstream.hpp"
#include "shmstream/dict.h"

#include <array>
#include <optional>
#include <string_view>

namespace shms {

enum class evict { as_is = 0, none = SHMS_EVICT_NONE, lru = SHMS_EVICT_LRU };

/** What shms_dict_options has, under the same names. */
struct dict_options {
    bool read_only = false;
    bool keep = false;
    bool no_bell = false;
    bool no_guard = false;
    shms::create create = shms::create::or_open;
    shms::owners owners = shms::owners::self;
    std::uint32_t owner_uid = 0;
    std::uint32_t mode = 0;
    std::uint64_t max_size = 0;
    std::chrono::milliseconds open_timeout{0};
    std::uint32_t cell_size = 0;
    std::uint32_t ring = 0;
    evict policy = evict::as_is;
    std::uint32_t key_max = 0;
    std::uint32_t value_max = 0;
};

/** On which condition a change is made, and when its record expires. */
class how : public shms_dict_how {
  public:
    how() noexcept : shms_dict_how{} { struct_size = sizeof(shms_dict_how); }
    /** Only if there is no record. */
    how &absent() noexcept { return version(-1); }
    /** Only if the record has this version. */
    how &version(std::int64_t v) noexcept
    {
        if_version = v;
        return *this;
    }
    /** Expires so long from now: 1 ms at least, else the call fails (SHMS_E_INVALID). */
    how &ttl(std::chrono::milliseconds time) noexcept
    {
        ttl_ms = time.count() > 0 ? time.count() : -1; // for C, 0 is for ever
        return *this;
    }
    how &expires(std::chrono::system_clock::time_point when) noexcept
    {
        const auto since = when.time_since_epoch();
        const auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(since).count();
        expires_ns = ns != 0 ? ns : 1; // for C, 0 is never
        return *this;
    }
};

class dict;

/** The lock of a key: a lease that ends with its scope. */
class [[nodiscard]] key_lock {
  public:
    key_lock(key_lock &&other) noexcept
        : dict_(std::exchange(other.dict_, nullptr)), key_(std::move(other.key_)),
          owner_died_(other.owner_died_)
    {
    }
    key_lock &operator=(key_lock &&) = delete;
    ~key_lock()
    {
        if (dict_)
            shms_dict_unlock(dict_, key_.data(), key_.size());
    }
    /** The holder before died with it. */
    bool owner_died() const noexcept { return owner_died_; }
    /** Give it back before the scope ends. */
    void unlock()
    {
        detail::check(shms_dict_unlock(dict_, key_.data(), key_.size()), "unlock");
        dict_ = nullptr;
    }

  private:
    friend class dict;
    key_lock(shms_dict *d, std::string key, int rc) noexcept
        : dict_(d), key_(std::move(key)), owner_died_(rc == SHMS_OWNER_DIED)
    {
    }
    shms_dict *dict_;
    std::string key_;
    bool owner_died_;
};

/** A dict: an open handle. */
class dict {
  public:
    /** Create or open. size: bytes; 0 opens what is there. */
    explicit dict(const std::string &name, std::uint64_t size = 0, const dict_options &options = {})
    {
        const char *const text = detail::whole_text(name, "open");
        const shms_dict_options o = c_options(options);
        shms_dict *d = nullptr;
        detail::check(shms_dict_open(text, size, &o, &d), "open");
        handle_.reset(d);
    }

    /** The value of a key, if there is a record. */
    std::optional<std::string> get(std::string_view key) const
    {
        std::array<char, 512> near; // most values fit: one call
        std::int64_t n = shms_dict_get(handle(), key.data(), key.size(), near.data(), near.size(), nullptr);
        if (n == SHMS_E_NOT_FOUND)
            return std::nullopt;
        auto size = static_cast<std::size_t>(detail::check(n, "get"));
        if (size <= near.size())
            return std::string(near.data(), size);
        std::string value;
        do { // it may be a longer one meanwhile
            value.resize(size);
            n = shms_dict_get(handle(), key.data(), key.size(), value.data(), value.size(), nullptr);
            if (n == SHMS_E_NOT_FOUND)
                return std::nullopt;
            size = static_cast<std::size_t>(detail::check(n, "get"));
        } while (size > value.size());
        value.resize(size);
        return value;
    }
    /** What is known of a key's record, if there is one; and its value, as much as fits into buf. */
    std::optional<shms_dict_record> find(std::string_view key, void *buf = nullptr,
                                         std::size_t size = 0) const
    {
        shms_dict_record record{};
        record.struct_size = sizeof record;
        const std::int64_t n = shms_dict_get(handle(), key.data(), key.size(), buf, size, &record);
        if (n == SHMS_E_NOT_FOUND)
            return std::nullopt;
        detail::check(n, "get");
        return record;
    }
    bool contains(std::string_view key) const { return find(key).has_value(); }

    /** Set the value of a key: the version of its record. */
    std::int64_t set(std::string_view key, std::string_view value, const how &how = {})
    {
        return detail::check(set_value(key, value, how), "set");
    }
    /** The same; nothing where the condition did not hold. */
    [[nodiscard]] std::optional<std::int64_t> try_set(std::string_view key, std::string_view value,
                                                      const how &how)
    {
        const std::int64_t version = set_value(key, value, how);
        if (version == SHMS_E_EXISTS || version == SHMS_E_CHANGED)
            return std::nullopt;
        return detail::check(version, "set");
    }
    /** Delete a key's record: false if there was none. */
    bool del(std::string_view key, const how &how = {})
    {
        const std::int64_t rc = shms_dict_del(handle(), key.data(), key.size(), &how);
        if (rc == SHMS_E_NOT_FOUND)
            return false;
        detail::check(rc, "del");
        return true;
    }
    /** Add to a counter: the sum. */
    std::int64_t add(std::string_view key, std::int64_t delta = 1, std::int64_t start = 0,
                     const how &how = {})
    {
        std::int64_t sum = 0;
        detail::check(shms_dict_add(handle(), key.data(), key.size(), delta, start, &how, &sum), "add");
        return sum;
    }

    /** Call f(key, value, record) for each record; both are std::string_view, valid during the call. */
    template <class Function> void each(Function f) const
    {
        const shms_dict_stats stats = info();
        std::string key(stats.key_max, '\0'), value(stats.value_max, '\0');
        shms_dict_record record{};
        for (std::uint64_t cursor = 0;;) {
            std::size_t key_size = key.size(), value_size = value.size();
            record.struct_size = sizeof record;
            const int rc = shms_dict_next(handle(), &cursor, key.data(), &key_size, value.data(), &value_size,
                                          &record);
            if (detail::check(rc, "next") == 0)
                return;
            f(std::string_view(key.data(), key_size), std::string_view(value.data(), value_size),
              static_cast<const shms_dict_record &>(record));
        }
    }
    /**
     * Call f(key, record) for each change since a version, which moves on. Gives how many there were. Where
     * too many came, throws SHMS_E_MISSED: walk over all with each(), and go on.
     */
    template <class Function> std::int64_t changes(std::int64_t &since, Function f) const
    {
        struct calls {
            Function &function;
            std::exception_ptr thrown{};
            static int call(const void *key, std::size_t size, const shms_dict_record *record, void *context)
            {
                auto &me = *static_cast<calls *>(context);
                try {
                    me.function(std::string_view(static_cast<const char *>(key), size), *record);
                    return 0;
                } catch (...) { // it may not cross the frames of C
                    me.thrown = std::current_exception();
                    return 1;
                }
            }
        };
        calls all{f};
        const std::int64_t n = shms_dict_changes(handle(), &since, calls::call, &all);
        if (all.thrown)
            std::rethrow_exception(all.thrown);
        return detail::check(n, "changes");
    }

    std::int64_t version() const { return detail::check(shms_dict_version(handle()), "version"); }
    /** Until the dict has another version than `seen`: false if the time is over. */
    bool wait(std::int64_t &seen, timeout time = forever) const
    {
        return detail::in_time(shms_dict_wait(handle(), nullptr, 0, &seen, time.ms()), "wait");
    }
    /** Until the key's record has another version than `seen`; 0 is that of a record that is not there. */
    bool wait(std::string_view key, std::int64_t &seen, timeout time = forever) const
    {
        const int ms = time.ms();
        return detail::in_time(shms_dict_wait(handle(), key.data(), key.size(), &seen, ms), "wait");
    }
    int poll_fd() { return detail::check(shms_dict_poll_fd(handle()), "poll_fd"); }

    /** Lock a key. Throws where the time is over. */
    key_lock lock(std::string_view key, timeout time = forever)
    {
        std::string copy(key);
        const int rc = shms_dict_lock(handle(), key.data(), key.size(), time.ms());
        return {handle(), std::move(copy), detail::check(rc, "lock")};
    }

    std::int64_t save(const std::string &path) const
    {
        return detail::check(shms_dict_save(handle(), detail::whole_text(path, "save")), "save");
    }
    std::int64_t load(const std::string &path)
    {
        return detail::check(shms_dict_load(handle(), detail::whole_text(path, "load")), "load");
    }
    shms_dict_stats info() const
    {
        shms_dict_stats stats{};
        stats.struct_size = sizeof stats;
        detail::check(shms_dict_info(handle(), &stats), "info");
        return stats;
    }
    shms_dict *native_handle() const noexcept { return handle(); }

  private:
    struct closer {
        void operator()(shms_dict *d) const noexcept { shms_dict_close(d); }
    };

    static shms_dict_options c_options(const dict_options &options) noexcept
    {
        shms_dict_options o{};
        o.struct_size = sizeof o;
        o.access = options.read_only ? SHMS_ACCESS_READ : SHMS_ACCESS_READ_WRITE;
        o.create = static_cast<std::uint32_t>(options.create);
        o.owners = static_cast<std::uint32_t>(options.owners);
        o.owner_uid = options.owner_uid;
        o.mode = options.mode;
        o.max_size = options.max_size;
        o.open_timeout_ms = detail::open_ms(options.open_timeout);
        o.cell_size = options.cell_size;
        o.ring = options.ring;
        o.policy = static_cast<std::uint32_t>(options.policy);
        o.key_max = options.key_max;
        o.value_max = options.value_max;
        o.keep = options.keep;
        o.no_bell = options.no_bell;
        o.no_guard = options.no_guard;
        return o;
    }
    std::int64_t set_value(std::string_view key, std::string_view value, const how &how)
    {
        return shms_dict_set(handle(), key.data(), key.size(), value.data(), value.size(), &how);
    }
    shms_dict *handle() const noexcept { return handle_.get(); }

    std::unique_ptr<shms_dict, closer> handle_;
};

} // namespace shms

#endif
