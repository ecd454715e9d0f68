"""What an import changes: new, renamed and updated categories, and those that are the same in another spelling."""

from __future__ import annotations

from pipeline.domain.reason_code import ReasonCode
from pipeline.domain.taxonomy import CategoryEntry, ListedTaxonomy, TaxonomyChanges, plan_changes


def listed(*entries: CategoryEntry | str) -> ListedTaxonomy:
    return ListedTaxonomy(tuple(CategoryEntry(each) if isinstance(each, str) else each for each in entries))


def with_id(path: str, external_id: str) -> CategoryEntry:
    return CategoryEntry(path, external_id=external_id)


def plan(known: ListedTaxonomy, new: ListedTaxonomy) -> TaxonomyChanges:
    return plan_changes(known.entries, new)


def test_everything_is_added_to_an_empty_taxonomy_and_unchanged_after_it() -> None:
    home = listed("Home", "Home >> Pans")
    assert [entry.path for entry in plan(listed(), home).added] == ["Home", "Home >> Pans"]
    again = plan(home, home)
    assert (again.is_empty, again.unchanged, again.unlisted, again.notes) == (True, 2, 0, ())


def test_another_spelling_is_the_same_category() -> None:
    changes = plan(listed("Home & Garden"), listed("home and garden", "home and garden >> Pots", "Toys"))
    assert [entry.path for entry in changes.added] == ["Home & Garden >> Pots", "Toys"]
    assert changes.unchanged == 1
    (note,) = changes.notes
    assert note.code is ReasonCode.CATEGORIES_RESPELLED


def test_texts_that_are_left_empty_stay() -> None:
    known = CategoryEntry("Home", "for living", ("house",), "1", {"fr": "Maison"})
    changes = plan(listed(known), listed(CategoryEntry("Home", synonyms=("flat",), names={"de": "Haus"})))
    assert changes.updated == (CategoryEntry("Home", "for living", ("flat",), "1", {"fr": "Maison", "de": "Haus"}),)
    assert plan(listed(known), listed("Home")).is_empty


def test_an_id_with_another_path_renames_and_what_is_below_moves_along() -> None:
    known = listed(with_id("Home", "1"), with_id("Home >> Pans", "2"), "Home >> Pans >> Woks", "Homely")
    changes = plan(known, listed(with_id("House", "1"), with_id("House >> Pans", "2")))
    assert changes.renamed == {
        "Home": "House",
        "Home >> Pans": "House >> Pans",
        "Home >> Pans >> Woks": "House >> Pans >> Woks",
    }
    assert changes.added == changes.updated == ()
    assert changes.unlisted == 2
    assert [note.code for note in changes.notes] == [ReasonCode.CATEGORIES_UNLISTED]


def test_a_path_that_another_category_keeps_is_not_taken() -> None:
    known = listed(with_id("Pans", "1"), with_id("Pots", "2"))
    changes = plan(known, listed(with_id("Pots", "1")))
    assert changes.renamed == {}
    assert changes.added == changes.updated == ()
    swapped = plan(known, listed(with_id("Pots", "1"), with_id("Pans", "2")))
    assert swapped.renamed == {"Pans": "Pots", "Pots": "Pans"}
    chain = plan(known, listed(with_id("Pots", "1"), with_id("Jars", "2")))
    assert chain.renamed == {"Pans": "Pots", "Pots": "Jars"}


def test_an_id_is_given_to_a_category_that_listings_brought() -> None:
    changes = plan(listed("Home >> Pans"), listed(with_id("Home >> pans", "2")))
    assert changes.updated == (with_id("Home >> Pans", "2"),)


def test_what_is_below_stays_where_its_category_cannot_be_renamed() -> None:
    known = listed(with_id("A", "1"), CategoryEntry("A >> x"), CategoryEntry("B"))
    changes = plan(known, listed(with_id("B", "1")))
    assert changes.renamed == {}
    assert "A >> x" not in {entry.path for entry in changes.added}
