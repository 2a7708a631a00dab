import pytest

from service.engine.graphs.cpu_features import has_vnni
from service.engine.graphs.sessions import session_options

HASWELL = "processor\t: {}\nflags\t\t: fpu sse4_1 avx2 fma\n"
CASCADE_LAKE = "processor\t: {}\nflags\t\t: fpu avx2 avx512f avx512_vnni\n"
ALDER_LAKE = "processor\t: {}\nflags\t\t: fpu avx2 avx_vnni\n"


@pytest.mark.parametrize("newer", [CASCADE_LAKE, ALDER_LAKE])
def test_vnni_is_found_where_every_processor_has_it(newer: str) -> None:
    assert has_vnni(newer.format(0) + newer.format(1))
    assert not has_vnni(newer.format(0) + HASWELL.format(1))


@pytest.mark.parametrize("text", ["", HASWELL.format(0), "Features\t: asimd asimddp\n"])
def test_an_unknown_cpu_is_not_trusted_to_be_exact(text: str) -> None:
    assert not has_vnni(text)


@pytest.mark.parametrize("is_exact", [True, False])
def test_the_slower_product_is_asked_for_where_the_fast_one_saturates(is_exact: bool) -> None:
    options = session_options(1, is_exact=is_exact)
    if is_exact:
        with pytest.raises(RuntimeError, match="x64quantprecision"):
            options.get_session_config_entry("session.x64quantprecision")
    else:
        assert options.get_session_config_entry("session.x64quantprecision") == "1"
