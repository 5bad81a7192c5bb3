"""Our dataclasses are the standard library's in all that a caller sees: held against ones that it makes itself."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import inspect
import io
import pickle
import pkgutil
import subprocess
import sys
from importlib import import_module
from types import MappingProxyType
from typing import Any, ClassVar

import pytest

import pulumi_llm
from pulumi_llm._dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Point:
    x: int
    y: int = 2
    labels: list[str] = dataclasses.field(default_factory=list, hash=False)
    seen: int = dataclasses.field(default=0, compare=False, repr=False)
    KIND: ClassVar[str] = "point"


@dataclasses.dataclass(frozen=True, slots=True)
class TheirPoint:
    x: int
    y: int = 2
    labels: list[str] = dataclasses.field(default_factory=list, hash=False)
    seen: int = dataclasses.field(default=0, compare=False, repr=False)
    KIND: ClassVar[str] = "point"


@dataclass(frozen=True, kw_only=True)
class Box:
    name: str
    size: int = dataclasses.field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "size", len(self.name))


@dataclass(frozen=True, kw_only=True)
class Crate(Box):
    lid: bool = True


class Plain(Box):
    """Says nothing of fields of its own."""


@dataclass(slots=True)
class Count:
    number: int = 0


def ours() -> list[type[Any]]:
    """Every dataclass of the package."""
    for each in pkgutil.walk_packages(pulumi_llm.__path__, "pulumi_llm."):
        with contextlib.suppress(ImportError), contextlib.redirect_stdout(io.StringIO()):
            if not each.name.endswith("__main__"):
                import_module(each.name)
    modules = [module for name, module in sys.modules.items() if name.startswith("pulumi_llm")]
    found = {id(value): value for each in modules for value in vars(each).values() if isinstance(value, type)}
    return [
        each for each in found.values() if "__dataclass_params__" in each.__dict__ and "pulumi_llm" in each.__module__
    ]


def theirs(cls: type[Any]) -> type[Any]:
    """A class with the same fields, made by the standard library."""
    rows = []
    for each in dataclasses.fields(cls):
        names = ("default", "default_factory", "init", "repr", "hash", "compare", "kw_only")
        rows.append((each.name, Any, dataclasses.field(**{name: getattr(each, name) for name in names})))
    own = {name: cls.__dict__[name] for name in ("__hash__", "__eq__", "__repr__") if _written_here(cls, name)}
    return dataclasses.make_dataclass(
        cls.__qualname__,
        rows,
        frozen=cls.__dataclass_params__.frozen,
        slots=not hasattr(blank(cls), "__dict__"),
        namespace=own,
    )


def _written_here(cls: type[Any], name: str) -> bool:
    return getattr(cls.__dict__.get(name), "__module__", None) == cls.__module__


def blank(cls: type[Any]) -> Any:
    return cls.__new__(cls)


def filled(cls: type[Any]) -> Any:
    one = blank(cls)
    for number, each in enumerate(dataclasses.fields(cls)):
        object.__setattr__(one, each.name, f"{each.name}{number}")
    return one


def test_every_dataclass_of_ours_behaves_as_the_standard_librarys_would():
    found = ours()
    assert len(found) > 150
    for cls in found:
        twin = theirs(cls)
        with contextlib.suppress(TypeError):
            cls(*range(99))  # what is wrong is told by a compiled `__init__`, which stays
        parameters = inspect.signature(cls.__init__).parameters.values()
        expected = inspect.signature(twin.__init__).parameters.values()
        assert [(each.name, each.kind) for each in parameters] == [(each.name, each.kind) for each in expected], cls
        assert [each.default is each.empty for each in parameters] == [each.default is each.empty for each in expected]
        assert (cls.__hash__ is None) == (twin.__hash__ is None), cls
        one, other = filled(cls), filled(twin)
        assert repr(one) == repr(other)
        assert one == filled(cls)
        assert one != other
        if cls.__hash__ is not None:
            assert hash(one) == hash(other), cls
        if cls.__dataclass_params__.frozen:
            name = next(iter(dataclasses.fields(cls))).name
            with pytest.raises(dataclasses.FrozenInstanceError):
                setattr(one, name, 1)


def test_every_dataclass_of_ours_is_made_without_compiling():
    compiled = [
        f"{cls.__module__}.{cls.__qualname__}"
        for cls in ours()
        if cls.__eq__.__code__.co_filename == "<string>" and not cls.__dataclass_params__.order
    ]
    assert not compiled, "from pulumi_llm._dataclasses import dataclass"


def test_no_default_is_one_that_the_oldest_python_of_ours_takes_for_changeable():
    """Python 3.11 refuses a class with a default that has no hash; these two kinds have one from 3.12 on."""
    refused = (MappingProxyType, slice)
    found = {f"{cls.__qualname__}.{each.name}" for cls in ours() for each in dataclasses.fields(cls)
             if isinstance(each.default, refused)}  # fmt: skip
    assert found == set()


def test_an_object_is_made_compared_shown_and_changed_as_the_standard_librarys():
    for point in (Point, TheirPoint):
        one = point(1)
        assert (one.x, one.y, one.labels, one.seen) == (1, 2, [], 0)
        assert one.labels is not point(1).labels
        assert one == point(1, 2, [], 7) != point(1, 3)
        assert hash(one) == hash(point(1, labels=["a"]))
        assert repr(one) == f"{point.__name__}(x=1, y=2, labels=[])"
        assert dataclasses.replace(one, y=5) == point(1, 5)
        assert dataclasses.asdict(one) == {"x": 1, "y": 2, "labels": [], "seen": 0}
        assert pickle.loads(pickle.dumps(one)) == copy.copy(one) == copy.deepcopy(one) == one
        assert point.__match_args__ == ("x", "y", "labels", "seen")
        assert point(y=3, x=1) == point(1, 3)
        for wrong in ((), (1, 2, [], 4, 5)):
            with pytest.raises(TypeError, match=r"__init__\(\)"):
                point(*wrong)
        with pytest.raises(TypeError, match="multiple values for argument 'x'"):
            point(1, x=1)
        with pytest.raises(TypeError, match="unexpected keyword argument 'z'"):
            point(1, z=3)
        with pytest.raises(dataclasses.FrozenInstanceError, match="cannot assign to field 'x'"):
            one.x = 2
        with pytest.raises(dataclasses.FrozenInstanceError, match="cannot delete field 'x'"):
            del one.x


def test_what_comes_after_the_init_is_called_and_fields_are_inherited():
    assert Box(name="abc").size == 3
    assert Crate(name="ab") == Crate(name="ab", lid=True) != Crate(name="ab", lid=False)
    assert Crate(name="ab") != Box(name="ab")
    assert repr(Crate(name="ab")) == "Crate(name='ab', size=2, lid=True)"
    with pytest.raises(TypeError):
        Box("abc")  # by name only


def test_a_subclass_that_is_no_dataclass_has_room_for_more_and_keeps_its_fields():
    one = Plain(name="a")
    one.more = 1
    assert one.more == 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.name = "b"


def test_the_standard_librarys_decorator_takes_ours_as_a_base():
    @dataclasses.dataclass(frozen=True, kw_only=True)
    class Other(Box):
        weight: int

    assert Other(name="a", weight=1).size == 1
    with pytest.raises(TypeError, match="frozen"):
        dataclasses.dataclass(type("Loose", (Box,), {}))
    with pytest.raises(TypeError, match="frozen"):
        dataclass(type("Loose", (Box,), {}))


def test_what_may_be_changed_has_no_hash():
    one = Count()
    one.number += 1
    assert one == Count(1)
    assert Count.__hash__ is None


def test_an_object_that_holds_itself_can_be_shown():
    one = Count()
    one.number = one  # type: ignore[assignment]
    assert repr(one) == "Count(number=...)"


def test_a_class_compiles_nothing_before_it_made_many_objects():
    script = """
import builtins, dataclasses
from pulumi_llm._dataclasses import OFTEN, dataclass
compiled = []
real = exec
builtins.exec = lambda *given: (compiled.append(given[0]), real(*given))[1]
@dataclass(frozen=True, slots=True)
class Row:
    a: int
    b: int = 1
assert Row(1) == Row(a=1, b=1) and hash(Row(2)) and repr(Row(3))
assert compiled == [], compiled
assert [Row(each).a for each in range(OFTEN)] == [*range(OFTEN)]
assert len(compiled) == 1, compiled
"""
    subprocess.run([sys.executable, "-c", script], check=True)
