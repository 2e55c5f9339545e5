// SPDX-License-Identifier: MIT
/** @file shmstream/jar.hpp
 * Jars for C++17: HTTP cookies that processes share. Link with libshmstream-jar, too.
 *
 *     shms::jar jar("cookies");
 *     if (auto refused = jar.set("https://example.com/login", "sid=31d4; Path=/; Secure"))
 *         std::cerr << refused.text();
 *     request.header("Cookie", jar.get("https://example.com/"));
 *
 * Each call is the C call of its name in jar.h; shmstream.hpp says what differs in C++. That the rules refuse
 * a cookie is no failure.
 */
#ifndef SHMSTREAM_JAR_HPP
#define SHMSTREAM_JAR_HPP

#include "../shmstream.hpp"
#include "shmstream/jar.h"

#include <array>
#include <optional>
#include <string_view>

namespace shms {

/** What shms_jar_options has, under the same names; but `keep` is on, as jars stay by default. */
struct jar_options {
    bool read_only = false;
    bool keep = true;
    shms::create create = shms::create::or_open;
    shms::owners owners = shms::owners::self;
    std::uint32_t owner_uid = 0;
    std::uint32_t mode = 0;
    std::uint64_t max_size = 0;
    std::chrono::milliseconds open_timeout{0};
    std::uint32_t host_cookies = 0;
    std::uint32_t jar_cookies = 0;
    std::string suffix_list{};
};

enum class site {
    same = SHMS_SITE_SAME,
    lax = SHMS_SITE_LAX,
    lax_unsafe = SHMS_SITE_LAX_UNSAFE,
    cross = SHMS_SITE_CROSS
};
enum class same_site {
    as_is = SHMS_SAME_SITE_DEFAULT,
    none = SHMS_SAME_SITE_NONE,
    lax = SHMS_SAME_SITE_LAX,
    strict = SHMS_SAME_SITE_STRICT
};

/** What besides its URL is told of a request. */
struct request_options {
    shms::site site = shms::site::same;
    bool api = false; /**< a script asks: HttpOnly cookies are hidden */
    std::string partition{};
};

/** Why a cookie was refused; false if it was not. */
class refusal {
  public:
    explicit refusal(int reason) noexcept : reason_(reason) {}
    explicit operator bool() const noexcept { return reason_ != 0; }
    /** SHMS_COOKIE_..., or 0. */
    int reason() const noexcept { return reason_; }
    const char *text() const noexcept { return shms_jar_reason(reason_); }

  private:
    int reason_;
};

/** A cookie, with texts of its own. */
struct cookie {
    std::string host{}, name{}, value{}, path = "/", partition{};
    bool secure = false;
    bool http_only = false;
    bool host_only = true;
    bool gone = false; /**< told by changes() */
    shms::same_site same_site = shms::same_site::as_is;
    std::int64_t expires_ns = 0;
    std::int64_t created_ns = 0, used_ns = 0, created = 0, changed = 0;

    cookie() = default;
    cookie(std::string of_host, std::string its_name, std::string its_value)
        : host(std::move(of_host)), name(std::move(its_name)), value(std::move(its_value))
    {
    }
    explicit cookie(const shms_cookie &c)
        : host(c.host), name(c.name), value(c.value ? c.value : ""), path(c.path),
          partition(c.partition ? c.partition : ""), secure((c.flags & SHMS_COOKIE_SECURE) != 0),
          http_only((c.flags & SHMS_COOKIE_HTTP_ONLY) != 0),
          host_only((c.flags & SHMS_COOKIE_HOST_ONLY) != 0),
          gone((c.flags & SHMS_COOKIE_GONE) != 0), same_site(static_cast<shms::same_site>(c.same_site)),
          expires_ns(c.expires_ns), created_ns(c.created_ns), used_ns(c.used_ns), created(c.created),
          changed(c.changed)
    {
    }
    cookie &expires(std::chrono::system_clock::time_point when) noexcept
    {
        const auto since = when.time_since_epoch();
        const auto ns = std::chrono::duration_cast<std::chrono::nanoseconds>(since).count();
        expires_ns = ns != 0 ? ns : 1; // for C, 0 is with the session
        return *this;
    }
};

class jar;

/** The lock of a host: a lease that ends with its scope. */
class [[nodiscard]] host_lock {
  public:
    host_lock(host_lock &&other) noexcept
        : jar_(std::exchange(other.jar_, nullptr)), host_(std::move(other.host_)),
          owner_died_(other.owner_died_)
    {
    }
    host_lock &operator=(host_lock &&) = delete;
    ~host_lock()
    {
        if (jar_)
            shms_jar_unlock(jar_, host_.c_str());
    }
    /** The holder before died with it. */
    bool owner_died() const noexcept { return owner_died_; }
    /** Give it back before the scope ends. */
    void unlock()
    {
        detail::check(shms_jar_unlock(jar_, host_.c_str()), "unlock");
        jar_ = nullptr;
    }

  private:
    friend class jar;
    host_lock(shms_jar *j, std::string host, int rc) noexcept
        : jar_(j), host_(std::move(host)), owner_died_(rc == SHMS_OWNER_DIED)
    {
    }
    shms_jar *jar_;
    std::string host_;
    bool owner_died_;
};

/** A jar: an open handle. */
class jar {
  public:
    /** Create or open. */
    explicit jar(const std::string &name, const jar_options &options = {})
    {
        const shms_jar_options o = c_options(options);
        shms_jar *j = nullptr;
        detail::check(shms_jar_open(whole(name, "open"), &o, &j), "open");
        handle_.reset(j);
    }

    /** Take the value of a Set-Cookie header in: why it was refused, if it was. */
    refusal set(const std::string &url, std::string_view line, const request_options &options = {})
    {
        const shms_jar_request r = c_request(url, options, "set");
        return refusal(detail::check(shms_jar_set(handle(), &r, line.data(), line.size()), "set"));
    }
    /** The value of the Cookie header for a request; empty where there is none to send. */
    std::string get(const std::string &url, const request_options &options = {}) const
    {
        const shms_jar_request r = c_request(url, options, "get");
        std::array<char, 1024> near; // most lines fit: one call
        std::int64_t n = detail::check(shms_jar_get(handle(), &r, near.data(), near.size()), "get");
        if (n < static_cast<std::int64_t>(near.size()))
            return std::string(near.data(), static_cast<std::size_t>(n));
        std::string line;
        do { // it may be a longer one meanwhile; C puts a zero byte behind it
            line.resize(static_cast<std::size_t>(n) + 1);
            n = detail::check(shms_jar_get(handle(), &r, line.data(), line.size()), "get");
        } while (static_cast<std::size_t>(n) >= line.size());
        line.resize(static_cast<std::size_t>(n));
        return line;
    }

    /** Call f(cookie) for each of a host, or of all: `const shms_cookie &`, valid during the call. */
    template <class Function> std::int64_t each(Function f) const { return each_of(nullptr, f); }
    template <class Function> std::int64_t each(const std::string &host, Function f) const
    {
        return each_of(whole(host, "each"), f);
    }
    /** Copies of them. */
    std::vector<cookie> cookies() const
    {
        std::vector<cookie> all;
        each([&](const shms_cookie &c) { all.emplace_back(c); });
        return all;
    }
    std::vector<cookie> cookies(const std::string &host) const
    {
        std::vector<cookie> all;
        each(host, [&](const shms_cookie &c) { all.emplace_back(c); });
        return all;
    }

    /** Put a cookie in, past the rules that need a request: why it was refused, if it was. */
    refusal put(const cookie &cookie)
    {
        shms_cookie c = c_key(cookie.host, cookie.name, cookie.partition, "put");
        c.flags = flag(cookie.secure, SHMS_COOKIE_SECURE) | flag(cookie.http_only, SHMS_COOKIE_HTTP_ONLY) |
                  flag(cookie.host_only, SHMS_COOKIE_HOST_ONLY);
        c.same_site = static_cast<std::uint32_t>(cookie.same_site);
        c.value = whole(cookie.value, "put");
        c.path = whole(cookie.path, "put");
        c.expires_ns = cookie.expires_ns;
        return refusal(detail::check(shms_jar_put(handle(), &c), "put"));
    }
    /** Delete the cookies of that name, in all paths or in one: false if there was none. */
    bool del(const std::string &host, const std::string &name, const std::optional<std::string> &path = {},
             const std::string &partition = {})
    {
        shms_cookie c = c_key(host, name, partition, "del");
        c.path = path ? whole(*path, "del") : nullptr;
        const int rc = shms_jar_del(handle(), &c);
        if (rc == SHMS_E_NOT_FOUND)
            return false;
        detail::check(rc, "del");
        return true;
    }
    /** Delete all: how many they were. */
    std::int64_t clear() { return detail::check(shms_jar_clear(handle(), nullptr), "clear"); }
    std::int64_t clear(const std::string &host)
    {
        return detail::check(shms_jar_clear(handle(), whole(host, "clear")), "clear");
    }

    /**
     * Call f(cookie) for what changed since a version, which moves on. Gives how many there were. Where too
     * many came, throws SHMS_E_MISSED: look at all with each(), and go on.
     */
    template <class Function> std::int64_t changes(std::int64_t &since, Function f) const
    {
        calls<Function> all{f};
        const std::int64_t n = shms_jar_changes(handle(), &since, calls<Function>::call, &all);
        return all.result(n, "changes");
    }
    std::int64_t version() const { return detail::check(shms_jar_version(handle()), "version"); }
    /** Until the jar has another version than `seen`: false if the time is over. */
    bool wait(std::int64_t &seen, timeout time = forever) const
    {
        return detail::in_time(shms_jar_wait(handle(), &seen, time.ms()), "wait");
    }
    int poll_fd() { return detail::check(shms_jar_poll_fd(handle()), "poll_fd"); }

    /** Lock a host: one process logs in, or refreshes a token, for all. Throws where the time is over. */
    host_lock lock(const std::string &host, timeout time = forever)
    {
        std::string copy(host);
        const int rc = shms_jar_lock(handle(), whole(host, "lock"), time.ms());
        return {handle(), std::move(copy), detail::check(rc, "lock")};
    }

    /** Put in what a cookies.txt has: how many. left_out receives how many were left out. */
    std::int64_t import_file(const std::string &path, std::uint64_t *left_out = nullptr)
    {
        return detail::check(shms_jar_import(handle(), whole(path, "import"), left_out), "import");
    }
    std::int64_t export_file(const std::string &path, std::uint64_t *left_out = nullptr) const
    {
        return detail::check(shms_jar_export(handle(), whole(path, "export"), left_out), "export");
    }
    shms_jar_stats info() const
    {
        shms_jar_stats stats{};
        stats.struct_size = sizeof stats;
        detail::check(shms_jar_info(handle(), &stats), "info");
        return stats;
    }
    shms_jar *native_handle() const noexcept { return handle(); }

  private:
    struct closer {
        void operator()(shms_jar *j) const noexcept { shms_jar_close(j); }
    };

    /** A function of C++ that C calls: what it throws is kept, as it may not cross the frames of C. */
    template <class Function> struct calls {
        Function &function;
        std::exception_ptr thrown{};
        static int call(const shms_cookie *c, void *context)
        {
            auto &me = *static_cast<calls *>(context);
            try {
                me.function(*c);
                return 0;
            } catch (...) {
                me.thrown = std::current_exception();
                return 1;
            }
        }
        std::int64_t result(std::int64_t n, const char *what) const
        {
            if (thrown)
                std::rethrow_exception(thrown);
            return detail::check(n, what);
        }
    };
    template <class Function> std::int64_t each_of(const char *host, Function &f) const
    {
        calls<Function> all{f};
        const std::int64_t n = shms_jar_each(handle(), host, calls<Function>::call, &all);
        return all.result(n, "each");
    }

    static std::uint32_t flag(bool on, std::uint32_t bit) noexcept { return on ? bit : 0; }
    static const char *whole(const std::string &text, const char *call)
    {
        return detail::whole_text(text, call);
    }
    static shms_jar_request c_request(const std::string &url, const request_options &options,
                                      const char *call)
    {
        shms_jar_request r{};
        r.struct_size = sizeof r;
        r.flags = flag(options.api, SHMS_JAR_API);
        r.site = static_cast<std::uint32_t>(options.site);
        r.url = whole(url, call);
        r.partition = options.partition.empty() ? nullptr : whole(options.partition, call);
        return r;
    }
    static shms_cookie c_key(const std::string &host, const std::string &name, const std::string &partition,
                             const char *call)
    {
        shms_cookie c{};
        c.struct_size = sizeof c;
        c.host = whole(host, call);
        c.name = whole(name, call);
        c.partition = partition.empty() ? nullptr : whole(partition, call);
        return c;
    }
    static shms_jar_options c_options(const jar_options &options)
    {
        shms_jar_options o{};
        o.struct_size = sizeof o;
        o.access = options.read_only ? SHMS_ACCESS_READ : SHMS_ACCESS_READ_WRITE;
        o.create = static_cast<std::uint32_t>(options.create);
        o.owners = static_cast<std::uint32_t>(options.owners);
        o.owner_uid = options.owner_uid;
        o.mode = options.mode;
        o.max_size = options.max_size;
        o.open_timeout_ms = detail::open_ms(options.open_timeout);
        o.host_cookies = options.host_cookies;
        o.jar_cookies = options.jar_cookies;
        o.no_keep = !options.keep;
        o.suffix_list = options.suffix_list.empty() ? nullptr : whole(options.suffix_list, "open");
        return o;
    }
    shms_jar *handle() const noexcept { return handle_.get(); }

    std::unique_ptr<shms_jar, closer> handle_;
};

} // namespace shms

#endif
