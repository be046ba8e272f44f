"""Stack traces as the runtimes write them, one of each kind."""

from __future__ import annotations

SAMPLES: dict[str, str] = {}
SAMPLES["py chained"] = """Traceback (most recent call last):
  File "/app/shop/cart.py", line 10, in total
    return price / count
           ~~~~~~^~~~~~~
ZeroDivisionError: division by zero

During handling of the above exception, another exception occurred:

Traceback (most recent call last):
  File "/usr/lib/python3.11/runpy.py", line 3, in _run
    x
  File "/app/shop/main.py", line 20, in run
    cart.total()
  [Previous line repeated 3 more times]
shop.errors.CartError: cannot total
cart 7
"""
SAMPLES["py group"] = """  + Exception Group Traceback (most recent call last):
  |   File "/app/jobs.py", line 5, in main
  |     raise ExceptionGroup("several", errors)
  | ExceptionGroup: several (2 sub-exceptions)
  +-+---------------- 1 ----------------
    | Traceback (most recent call last):
    |   File "/app/jobs.py", line 2, in one
    |     int("x")
    | ValueError: invalid literal for int() with base 10: 'x'
    +---------------- 2 ----------------
    | Traceback (most recent call last):
    |   File "/app/jobs.py", line 3, in two
    |     {}["a"]
    | KeyError: 'a'
    +------------------------------------
"""
SAMPLES["pytest long"] = """=================================== FAILURES ===================================
___________________________________ test_div ___________________________________

    def test_div():
>       assert div(1, 0) == 1

tests/test_m.py:5:
_ _ _ _ _ _ _ _ _ _

a = 1, b = 0

    def div(a, b):
>       return a / b
E       ZeroDivisionError: division by zero

src/m.py:2: ZeroDivisionError
=========================== short test summary info ============================
FAILED tests/test_m.py::test_div - ZeroDivisionError: division by zero
"""
SAMPLES["pytest short"] = """FAILED tests/test_a.py::TestX::test_eq[3] - AssertionError: assert 3 == 4"""
SAMPLES["pytest tb=short"] = """_________________________________ test_eq _________________________________
tests/test_a.py:7: in test_eq
    assert f() == 4
E   AssertionError: assert 3 == 4
E    +  where 3 = f()
"""
SAMPLES["java"] = """2024-05-01 12:00:00 ERROR [main] c.a.Svc - failed
Exception in thread "main" com.acme.OrderException: order 17 failed
\tat com.acme.Orders.lambda$save$3(Orders.java:20)
\tat java.base/java.util.ArrayList.forEach(ArrayList.java:1511)
\tat app//com.acme.Main.main(Main.java:5)
\tSuppressed: java.io.IOException: close
\t\tat com.acme.Res.close(Res.java:3)
\t\t... 2 more
Caused by: java.lang.NullPointerException: Cannot invoke "String.length()" because "s" is null
\tat com.acme.Names$1.check(Names.java:9)
\t... 12 more
Caused by: java.lang.IllegalStateException
\tat com.acme.Deep.go(Deep.kt:9)
\t... 13 more
"""
SAMPLES["node"] = """/app/index.js:4
    throw new TypeError("x is not a function");
    ^

TypeError: x is not a function
    at Object.<anonymous> (/app/index.js:4:11)
    at async Cart.total (file:///app/src/cart.ts:12:5)
    at new Foo (/app/foo.js:1:2)
    at /app/node_modules/express/lib/router.js:3:4
    at Module._compile (node:internal/modules/cjs/loader:1105:14) {
  [cause]: Error: inner
      at inner (/app/inner.js:1:1)
}
"""
SAMPLES["firefox"] = """TypeError: foo is undefined
bar@https://example.com/static/app.js:10:15
@https://example.com/static/app.js:20:1
"""
SAMPLES["jest"] = """  ● Cart › adds an item

    expect(received).toBe(expected) // Object.is equality

    Expected: 2
    Received: 1

      10 |   it('adds', () => {
    > 11 |     expect(cart.size).toBe(2);
         |                       ^

      at Object.toBe (src/cart.test.ts:11:23)
      at processTicksAndRejections (node:internal/process/task_queues:95:5)
"""
SAMPLES["go"] = """panic: runtime error: index out of range [5] with length 3

goroutine 1 [running]:
main.pick(...)
\t/home/u/app/main.go:9
main.main()
\t/home/u/app/main.go:5 +0x1d
github.com/x/y/pkg.(*Srv).run.func1(0xc0000b2000, 0x1)
\t/root/go/pkg/mod/github.com/x/y@v1/pkg/srv.go:12 +0x3b
created by github.com/x/y/pkg.(*Srv).Start in goroutine 1
\t/app/pkg/srv.go:7 +0x3b
exit status 2
"""
SAMPLES["rust"] = """thread 'main' panicked at src/main.rs:4:5:
index out of bounds: the len is 3 but the index is 99
stack backtrace:
   0: rust_begin_unwind
             at /rustc/abc/library/std/src/panicking.rs:645:5
   1: core::panicking::panic_fmt
             at /rustc/abc/library/core/src/panicking.rs:72:14
   2: shop::cart::pick::h0123456789abcdef
             at ./src/main.rs:4:5
   3: shop::main
             at ./src/main.rs:8:3
"""
SAMPLES["rust old"] = """thread 'tests::it_adds' panicked at 'assertion failed: `(left == right)`', src/lib.rs:12:9"""
SAMPLES["dotnet"] = """Unhandled exception. System.InvalidOperationException: outer failed
 ---> System.NullReferenceException: Object reference not set to an instance of an object.
   at Acme.Deep.Go(String s) in C:\\src\\Deep.cs:line 9
   at Acme.Mid.<>c__DisplayClass3_0.<Run>b__0()
   --- End of inner exception stack trace ---
   at Acme.Outer.RunAsync(Int32 n) in /src/Outer.cs:line 12
   at System.Threading.Tasks.Task.Execute()
   at Acme.Program.Main(String[] args) in /src/Program.cs:line 5
"""
SAMPLES["ruby"] = """app/models/cart.rb:3:in `/': divided by 0 (ZeroDivisionError)
\tfrom app/models/cart.rb:3:in `total'
\tfrom /usr/lib/ruby/gems/3.0.0/gems/rack/x.rb:7:in `call'
\tfrom main.rb:9:in 'Cart#run'
"""
SAMPLES["rails"] = """NoMethodError (undefined method `name' for nil:NilClass):

app/models/user.rb:7:in `block in name'
app/controllers/users_controller.rb:9:in `show'
"""
SAMPLES["php"] = """PHP Fatal error:  Uncaught App\\Bad: no such row in /app/src/Repo.php:12
Stack trace:
#0 /app/src/Service.php(15): App\\Repo->find(3)
#1 [internal function]: App\\Service->run()
#2 /app/vendor/x/y.php(3): call_user_func(Array)
#3 {main}

Next RuntimeException: wrapped in /app/src/S.php:3
Stack trace:
#0 /app/index.php(4): App\\Top->go()
#1 {main}
  thrown in /app/src/S.php on line 3
"""
