"""Codes of the reasons that are shown to users, each with its English message.

The codes are stored and part of the API, so they never change. Translations are in
``pipeline/localisation/catalogues``; ``make messages`` updates those files.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class ReasonCode(StrEnum):
    """The code of a reason and its English message, with placeholders ``{name}`` or ``{name:format}``.

    If there is a ``plural``, the parameter ``n`` selects it or the ``message``. ``ReasonWriter`` lists the formats.
    """

    message: str
    plural: str

    def __new__(cls, code: str, message: str = "", plural: str = "") -> Self:
        """A member whose value is the code."""
        member = str.__new__(cls, code)
        member._value_ = code
        member.message, member.plural = message, plural
        return member

    # Decisions: the outcome, then what qualifies it.
    ASSIGNED = "assigned", "{confidence:percent} sure; this category needs {threshold:percent}"
    BELOW_THRESHOLD = "below_threshold", "only {confidence:percent} sure; this category needs {threshold:percent}"
    UNRELIABLE_CATEGORY = (
        "unreliable_category",
        "{confidence:percent} sure, but answers for this category are not reliable enough yet to go without a person",
    )
    SURE_OF_KNOWN = "sure_of_known", "{confidence:percent} sure of those it knows"
    ABOVE_MIN_LEVEL = (
        "above_min_level",
        "{confidence:percent} sure of {category} and of nothing below it; an answer needs level {min_level}",
    )
    LEVEL_LEFT_OPEN = "level_left_open", "level {level} is left open: only {confidence:percent} sure of {category}"
    LEVELS_BELOW_LEFT_OPEN = "levels_below_left_open", "level {level} is left open: no category there is likely enough"
    NOTHING_TO_JUDGE = "nothing_to_judge", "nothing to judge by: {text_problem}; {photo_problem}"
    NO_MODEL = "no_model", "no model yet"
    NO_LABELLED_EXAMPLE = "no_labelled_example", "no labelled example yet: suggested by the names of the categories"
    UNLIKE_KNOWN_LISTINGS = (
        "unlike_known_listings",
        "unlike the listings that this model learned from, perhaps no category fits",
    )
    TEXT_ONLY = "text_only", "decided on text alone: {problem}"
    PHOTO_ONLY = "photo_only", "decided on the photo alone: {problem}"
    PROVISIONAL = "provisional", "provisional until the photo can be read: {problem}"
    NO_TEXT = "no_text", "no text"
    NO_KNOWN_WORD = "no_known_word", "no word of the text is known to this model"
    PHOTO_MODEL = "photo_model", "this model looks at photos only"
    TEXT_MODEL = "text_model", "this model looks at text only"
    NO_PHOTO = "no_photo", "no photo"
    LISTING_WITHOUT_PHOTO = "listing_without_photo", "the listing has no photo"
    NO_USABLE_TEXT = "no_usable_text", "no usable text"
    NO_USABLE_PHOTO = "no_usable_photo", "no usable photo"

    # Jobs: why a job waits, and why one was given up.
    ANOTHER_MODEL = "another_model", "another model was promoted meanwhile"
    MODEL_UNREADABLE = "model_unreadable", "held, since the active model cannot be read: {problem}"
    ATTEMPTS_FAILED = (
        "attempts_failed",
        "{n} attempt failed; the last: {error}",
        "{n} attempts failed; the last: {error}",
    )
    WORKER_DIED = (
        "worker_died",
        "its worker died {n} time while working on it alone",
        "its worker died {n} times while working on it alone",
    )
    TIME_LIMIT_EXCEEDED = "time_limit_exceeded", "it took longer than the {seconds} seconds that {setting} allows"
    OUT_OF_MEMORY = "out_of_memory", "there was not enough memory ({error}); study a sample"

    # Extractors and networks that are not usable here, and what to do about it.
    WEIGHTS_MISSING = "weights_missing", "{extractor} has no weights here"
    WEIGHTS_NOT_FOUND = "weights_not_found", "{extractor} has no weights at {place}"
    MODULE_MISSING = "module_missing", "{extractor} has no module here"
    MODEL_NOT_ON_HUB = "model_not_on_hub", "{extractor} has no model {model}, and the hub does not give it ({error})"
    DOWNLOAD_FAILED = "download_failed", "{extractor} cannot be had from {address} ({error})"
    DOWNLOAD_NO_FOLDER = "download_no_folder", "{address} leads to {place}: unset {variable}"
    LIBRARY_MISSING = "library_missing", "{extractor} needs {library} ({error}): {command}"
    WEIGHTS_NEEDED_TO_TRAIN = (
        "weights_needed_to_train",
        "the weights of {extractor} are not here, so nothing can be trained with it",
    )
    RUN_COMMAND = "run_command", "run: {command}"
    RUN_EITHER_COMMAND = "run_either_command", "run: {command}, or: {other}"
    EXPORT_FAILED = "export_failed", "{network} could not be exported for serving: {error}"
    EXPORT_TOO_SLOW = "export_too_slow", "{network} could not be exported for serving within {seconds} s; try again"
    QUANTISATION_FAILED = "quantisation_failed", "{network} could not be quantised to int8: {error}"
    QUANTISATION_TOO_SLOW = (
        "quantisation_too_slow",
        "{network} could not be quantised to int8 within {seconds} s; try again",
    )
    FINE_TUNING_FAILED = "fine_tuning_failed", "{network} could not be fine-tuned: {error}"
    KERAS_WITHOUT_WEIGHTS = (
        "keras_without_weights",
        "Keras computes {network} from its weights file, and was given none",
    )
    ENGINE_MISSING = "engine_missing", "{library} is not installed here; serve {network} with a worker of role {role}"

    # Studies: what is missing.
    NO_LABELLED_LISTINGS = (
        "no_labelled_listings",
        "there are no labelled listings to study; import a catalogue with categories first",
    )
    TOO_FEW_LABELLED_LISTINGS = (
        "too_few_labelled_listings",
        "a study needs at least {least} labelled listings in two categories of {least_each} or more; at level {level} "
        "there are {listings} in {categories}",
    )
    TOO_FEW_USABLE_TEXTS = (
        "too_few_usable_texts",
        "only {n} listing has a usable text; a trial needs {needed}",
        "only {n} listings have a usable text; a trial needs {needed}",
    )
    TOO_FEW_USABLE_PHOTOS = (
        "too_few_usable_photos",
        "only {n} listing has a usable photo; a trial needs {needed}",
        "only {n} listings have a usable photo; a trial needs {needed}",
    )
    TOO_FEW_USABLE_LISTINGS = (
        "too_few_usable_listings",
        "only {n} listing has a usable text or photo; a trial needs {needed}",
        "only {n} listings have a usable text or photo; a trial needs {needed}",
    )
    TOO_FEW_LISTINGS = (
        "too_few_listings",
        "{n} listing is too few to learn from some and try the others",
        "{n} listings are too few to learn from some and try the others",
    )
    NO_USABLE_TEXTS = "no_usable_texts", "no listing has a usable text"
    NO_USABLE_PHOTOS = "no_usable_photos", "no listing has a usable photo"
    NOTHING_USABLE = "nothing_usable", "the listings have neither texts nor photos that can be used"
    SAMPLE_GONE = "sample_gone", "the sample of study {study} is gone from the storage; start another study"
    STUDY_FILE_DAMAGED = "study_file_damaged", "a file of the study is damaged ({error}); start another study"

    # Photos: problems with their bytes.
    PHOTO_UNREADABLE = "photo_unreadable", "the photo could not be read: {problem}"
    PHOTO_EMPTY = "photo_empty", "the photo is an empty file (0 bytes)"
    PHOTO_TOO_LARGE = "photo_too_large", "the photo is too large: {size:count} bytes, at most {limit:count}"
    PHOTO_TOO_MANY_PIXELS = (
        "photo_too_many_pixels",
        "the photo has too many pixels: {width} × {height}, at most {limit:count} in all",
    )
    PHOTO_FAR_TOO_MANY_PIXELS = "photo_far_too_many_pixels", "the photo has far more than {limit:count} pixels"
    PHOTO_NO_PIXELS = "photo_no_pixels", "the photo has no pixels"
    PHOTO_WEB_PAGE = "photo_web_page", "the file is a web page (HTML), not a photo"
    PHOTO_HEIC = "photo_heic", "the file is a HEIC photo of a telephone; give a JPEG, PNG or WebP"
    PHOTO_SVG = "photo_svg", "the file is an SVG drawing; give a JPEG, PNG or WebP"
    PHOTO_UNKNOWN_FORMAT = "photo_unknown_format", "the file is no photo of a known format ({formats:names})"
    PHOTO_HEADER_DAMAGED = "photo_header_damaged", "the photo's header is damaged: {error}"
    PHOTO_DAMAGED = "photo_damaged", "the photo is damaged or incomplete ({error})"

    # Photos: problems with their storage or folder.
    PHOTO_GONE = "photo_gone", "the photo is gone"
    PHOTO_NOT_STORED = "photo_not_stored", "the photo does not exist in the storage"
    PHOTO_NOT_IN_FOLDER = "photo_not_in_folder", "the photo {name} is not in the folder"
    PHOTO_FILE_TOO_LARGE = (
        "photo_file_too_large",
        "the photo {name} is too large: {size:count} bytes, at most {limit:count}",
    )
    PHOTO_FILE_UNREADABLE = "photo_file_unreadable", "the photo {name} cannot be read: {error}"
    PHOTO_FOLDER_NOT_GIVEN = (
        "photo_folder_not_given",
        "the photo {name} was not looked for: no --images folder was given",
    )

    # Addresses that are refused, and hosts that do not answer.
    ADDRESS_UNUSABLE = "address_unusable", "the address is too long, or has control characters or backslashes"
    ADDRESS_UNREADABLE = "address_unreadable", "the address is not readable: {error}"
    ADDRESS_SCHEME = "address_scheme", "only http and https addresses are fetched, not {scheme}"
    ADDRESS_WITHOUT_SCHEME = (
        "address_without_scheme",
        "only http and https addresses are fetched, not one without a scheme",
    )
    ADDRESS_WITH_PASSWORD = "address_with_password", "an address with a user name or password is not fetched"
    ADDRESS_HOST_UNREADABLE = "address_host_unreadable", "the address has no readable host: {host}"
    HOST_NOT_ALLOWED = "host_not_allowed", "{host} is not among the allowed hosts"
    PORT_NOT_ALLOWED = "port_not_allowed", "port {port} is not allowed; allowed: {ports:names}"
    PRIVATE_ADDRESS = "private_address", "{address} is a private or special address, which is never fetched"
    TOO_MANY_REDIRECTS = "too_many_redirects", "the address redirects more than {limit} times"
    NAME_NOT_RESOLVED = "name_not_resolved", "the name {host} does not resolve: {error}"
    NAME_NOT_RESOLVED_IN_TIME = "name_not_resolved_in_time", "the name {host} did not resolve in time"
    NAME_WITHOUT_ADDRESS = "name_without_address", "the name {host} has no address"
    HOST_REFUSES_CONNECTION = "host_refuses_connection", "{host} does not accept a connection at {address}: {error}"
    HOST_SLOW_TO_CONNECT = "host_slow_to_connect", "{host} does not accept a connection in time"
    HOST_CLOSED_CONNECTION = "host_closed_connection", "{host} closed the connection in the middle of its answer"
    HOST_TOO_SLOW = "host_too_slow", "{host} did not answer in full in time"
    HOST_ANSWERS_BADLY = "host_answers_badly", "{host} does not answer properly: {error}"
    ANSWER_TOO_LARGE = "answer_too_large", "the answer is too large: more than {limit:count} bytes"
    ANSWER_COMPRESSED = (
        "answer_compressed",
        "the answer is compressed ({encoding}) though the plain bytes were asked for",
    )

    HOST_STATUS = "host_status", "the host answers {status}"
    NAMED_HOST_STATUS = "named_host_status", "{host} answers {status}"

    # Photo hosts: requests that are not allowed, or have to wait.
    ROBOTS_DISALLOW = "robots_disallow", "the host's robots.txt does not allow it"
    ROBOTS_UNREADABLE = "robots_unreadable", "the robots.txt of {host} cannot be read: {problem}"
    ROBOTS_BEING_FETCHED = "robots_being_fetched", "the robots.txt of {host} is being fetched"
    HOST_ASKS_TO_WAIT = "host_asks_to_wait", "{host} asks to wait: {problem}"
    HOST_PAUSED = "host_paused", "{host} is paused: {problem}"
    HOST_FAILED_OFTEN = (
        "host_failed_often",
        "{host} failed {n} time in a row: {problem}",
        "{host} failed {n} times in a row: {problem}",
    )
    PHOTO_RATE_LIMIT = (
        "photo_rate_limit",
        "{host} is asked for at most {n} photo in {seconds} s",
        "{host} is asked for at most {n} photos in {seconds} s",
    )
    RATE_LIMITS_UNREADABLE = "rate_limits_unreadable", "the rate limits cannot be read from the database"

    # Imports: their current state, and why the vanished products are unknown.
    AT_WORK = "at_work", "at work"
    WAITING_FOR_TURN = "waiting_for_turn", "waiting for its turn"
    WAITING_UNTIL = "waiting_until", "{cause} (until {time} UTC)"
    IMPORT_INTERRUPTED = "import_interrupted", "no process is working on it; the same command continues it"
    VANISHED_IN_FILE = (
        "vanished_in_file",
        "a file may hold any part of a catalogue; vanished products are known for product databases only",
    )
    IMPORT_RUNNING = "import_running", "the import is still running"
    IMPORT_UNFINISHED = "import_unfinished", "the import did not finish"
    ONLY_CHANGES_READ = (
        "only_changes_read",
        "the import asked for changes only, which says nothing about other products",
    )
    IMPORT_INCOMPLETE = (
        "import_incomplete",
        "the import did not read everything, so products that it did not find may still exist",
    )
    FIRST_COMPLETE_IMPORT = "first_complete_import", "this is the first complete import of its query"
    VERDICTS_PURGED = "verdicts_purged", "the verdicts of import {id}, the complete import before it, were purged"

    # Rows of an import: why a row is rejected, and what was changed while it was read.
    NO_ID = "no_id", "no id"
    NO_CONTENT = "no_content", "no content"
    SAME_ID = "same_id", "same id as row {row}"
    NOTHING_TO_CATEGORISE = "nothing_to_categorise", "no name, description or image"
    ID_EMPTY = "id_empty", "the id is empty"
    ID_TOO_LONG = "id_too_long", "the id has {size:count} characters, at most {limit}"
    NAME_TOO_LONG = "name_too_long", "the name has {size:count} characters, at most {limit:count}"
    DESCRIPTION_TOO_LONG = "description_too_long", "the description has {size:count} characters, at most {limit:count}"
    ATTRIBUTE_TOO_LONG = "attribute_too_long", "an attribute has {size:count} characters, at most {limit:count}"
    IMAGE_ADDRESS_TOO_LONG = (
        "image_address_too_long",
        "an image address has {size:count} characters, at most {limit:count}",
    )
    TOO_MANY_ATTRIBUTES = "too_many_attributes", "{size} attributes, at most {limit}"
    TOO_MANY_IMAGES = "too_many_images", "{size} images, at most {limit}"
    NUL_REMOVED = "nul_removed", "NUL bytes were removed"
    CATEGORY_CUT = "category_cut", "the cut last part of the category was dropped"
    CATEGORY_EMPTY = "category_empty", "the category is empty; write it like 'Home >> Curtains'"
    CATEGORY_TOO_LONG = "category_too_long", "the category has more than {levels} levels or {characters} characters"
    CATEGORY_LEFT_OUT = "category_left_out", "the category was left out: {problem}"
    CATEGORY_WAS_NAME = "category_was_name", "the last part of the category was the product's own name and was dropped"

    ID_ROUNDED = (
        "id_rounded",
        "the id {id} is a number that a spreadsheet has rounded, not an id; the row is known by its content instead",
    )
    ATTRIBUTE_SHORTENED = "attribute_shortened", "an attribute was cut to {limit:count} characters"
    NAME_SHORTENED = "name_shortened", "the name was cut to {limit:count} characters"
    DESCRIPTION_SHORTENED = "description_shortened", "the description was cut to {limit:count} characters"
    ATTRIBUTES_LEFT_OUT = "attributes_left_out", "the first {limit} of {size} attributes are used"
    IMAGES_LEFT_OUT = "images_left_out", "the first {limit} of {size} images are used"
    LONG_IMAGE_ADDRESS_LEFT_OUT = (
        "long_image_address_left_out",
        "an image address of {size:count} characters was left out",
    )
    CATEGORY_RESPELLED = "category_respelled", "the category was written '{spelling}', another spelling of this one"
    VARIANT_OF_ROW = "variant_of_row", "a variant of the product in row {row}"
    CATEGORY_CHOSEN = (
        "category_chosen",
        "the cell has another category, which was not used: {others}",
        "the cell has {n} other categories, which were not used: {others}",
    )

    # Rows of a file: what is malformed.
    COLUMNS_MISMATCH = (
        "columns_mismatch",
        "{n} column instead of {expected}: the row is cut or run together",
        "{n} columns instead of {expected}: the row is cut or run together",
    )
    QUOTE_RAN_ON = "quote_ran_on", "a quote was not closed: the row ran into the following ones"
    QUOTE_NOT_CLOSED = "quote_not_closed", "a quote was not closed: where the row ends cannot be known"
    ROW_TOO_LONG = "row_too_long", "the row does not end within {limit:count} characters"
    ID_UNLIKE_OTHERS = "id_unlike_others", "the id {id!r} does not look like the others ({pattern})"
    ID_IS_UUID = "id_is_uuid", "a UUID"
    ID_IS_HEXADECIMAL = "id_is_hexadecimal", "{digits} hexadecimal digits"
    ID_IS_ASIN = "id_is_asin", "10 characters, as an ASIN"
    ID_IS_DIGITS = "id_is_digits", "digits"
    ID_IS_ONE_WORD = "id_is_one_word", "no spaces"
    LINE_TOO_LONG = "line_too_long", "the line is longer than {limit:count} characters"
    LINE_NOT_JSON = "line_not_json", "the line is not JSON: {error}"
    ROW_NOT_OBJECT = "row_not_object", "the row is no JSON object but {kind}"
    LIST_NOT_CLOSED = "list_not_closed", "the list is not closed: the file is cut"
    FILE_NOT_XML = "file_not_xml", "the file is not well-formed XML from here on: {error}"
    FILE_NOT_JSON = "file_not_json", "the file is not JSON from here on: {error}"
    ROW_GROUP_DAMAGED = "row_group_damaged", "row group {group} of {groups} is damaged: {error}"
    ROW_GROUP_TOO_SHORT = "row_group_too_short", "row group {group} of {groups} holds fewer rows than it says"

    # Products of a database: why a product is rejected, and what was changed or is missing.
    NOT_A_PRODUCT = "not_a_product", "this is no product: an object was expected"
    BARCODE_MISSING = "barcode_missing", "there is no barcode"
    BARCODE_NOT_DIGITS = "barcode_not_digits", "the barcode {barcode!r} is not made of digits"
    BARCODE_TOO_LONG = "barcode_too_long", "the barcode {barcode} has {digits} digits, at most 14 are allowed"
    BARCODE_CHECK_DIGIT = (
        "barcode_check_digit",
        "the barcode {barcode} is not valid: its last digit does not fit the others",
    )
    BARCODE_REPEATED = "barcode_repeated", "the same barcode came before in this run"
    BARCODE_UNKNOWN = "barcode_unknown", "{database} has no product of this barcode"
    BARCODE_REWRITTEN = "barcode_rewritten", "the barcode was written {barcode}"
    NAME_MISSING = "name_missing", "it has no name"
    GENERIC_NAME_USED = "generic_name_used", "it has no name: its generic name stands for one"
    BRAND_USED = "brand_used", "it has no name: its brand stands for one"
    NAME_CUT = "name_cut", "the name was cut to {limit:count} of {size:count} characters"
    DESCRIPTION_CUT = "description_cut", "the description was cut to {limit:count} of {size:count} characters"
    ATTRIBUTE_CUT = "attribute_cut", "the {attribute} was cut to {limit:count} of {size:count} characters"
    IMAGE_MISSING = "image_missing", "it has no image"
    IMAGE_ADDRESS_BUILT = "image_address_built", "the image address was made of the barcode"
    IMAGE_ADDRESS_LEFT_OUT = "image_address_left_out", "an image address was left out: {address}"
    NOT_UTF8 = "not_utf8", "bytes that are no UTF-8 were replaced"
    PRODUCT_LINE_TOO_LONG = "product_line_too_long", "line {line} has more than {limit:count} bytes"
    PRODUCT_LINE_NOT_JSON = "product_line_not_json", "line {line} is no JSON"
    CHANGES_NOT_PUBLISHED = (
        "changes_not_published",
        "changes between {begin} and {end} are not published any more: collect the whole export to have them",
    )
    CHANGES_DAMAGED = "changes_damaged", "{file} is damaged after line {line}: {error}; its good lines were imported"

    # Requests: why they are refused.
    KEY_MISSING = "key_missing", "send an API key: 'Authorization: Bearer rk_…'"
    KEY_UNKNOWN = "key_unknown", "this API key is unknown or was revoked"
    SCOPE_NEEDED = "scope_needed", "this needs a key with the scope '{scope}'"
    SOURCE_NOT_FOUND = "source_not_found", "there is no source '{name}' for this key"
    LISTING_NOT_FOUND = "listing_not_found", "there is no listing {id}"
    IMPORT_NOT_FOUND = "import_not_found", "there is no import {id}"
    STUDY_NOT_FOUND = "study_not_found", "there is no study {id}"
    TAXONOMY_NOT_FOUND = "taxonomy_not_found", "there is no such taxonomy; go back and choose one"
    IMAGE_NOT_FOUND = "image_not_found", "listing {id} has no stored image at position {position}"
    NOTHING_HERE = "nothing_here", "there is nothing at {path}: the address may be mistyped, or what it named is gone"
    METHOD_NOT_ALLOWED = "method_not_allowed", "{path} takes {methods:names}, not {method}"
    UNKNOWN_PARAMETER = "unknown_parameter", "there is no parameter '{name}'; there are {known:names}"
    NO_PARAMETERS = "no_parameters", "there is no parameter '{name}'; this takes none"
    CURSOR_DAMAGED = "cursor_damaged", "the cursor is damaged or belongs to another list; start again without it"
    BODY_TOO_LARGE = "body_too_large", "the body is larger than the {limit:count} bytes allowed here"
    BODY_MISSING = "body_missing", "a body is needed, as JSON"
    OBJECT_NEEDED = "object_needed", "a JSON object is needed here"
    NOT_JSON = "not_json", "send JSON, with the header Content-Type: application/json"
    OTHER_MEDIA_TYPE = "other_media_type", "send JSON, with the header Content-Type: application/json, not {given}"
    MALFORMED_JSON = "malformed_json", "the body is not well-formed JSON at character {position}: {error}"
    VALUE_OUT_OF_RANGE = "value_out_of_range", "a value is outside of what the database can hold"
    DATABASE_AWAY = "database_away", "the database does not answer; nothing was accepted, try again"
    UNFORESEEN = "unforeseen", "something went wrong here; the log has the details"
    BACKLOG_TOO_OLD = (
        "backlog_too_old",
        "listings of priority '{priority}' have been waiting for {seconds:count} s, more than the {limit:count} s "
        "allowed; nothing was accepted, try again later",
    )
    FORM_EXPIRED = "form_expired", "this form is too old; open the page again and repeat what you did"

    # Forms: invalid input.
    CHOOSE_SOURCE = "choose_source", "choose where the listing would be sold"
    PHOTO_NOT_STORABLE = (
        "photo_not_storable",
        "the photo cannot be stored just now; try again in a moment, or without the photo",
    )
    CHOOSE_DATABASE = "choose_database", "choose a product database: {databases:names}"
    CHOOSE_QUERY = "choose_query", "choose what to ask the database by"
    QUERY_WITHOUT_VALUE = "query_without_value", "an export or recent changes need no value; leave it empty"
    QUERY_CATEGORY_MISSING = "query_category_missing", "say which category to ask for"
    QUERY_WORDS_MISSING = "query_words_missing", "say which words to ask for"
    QUERY_BARCODES_MISSING = "query_barcodes_missing", "say which barcodes to ask for"
    INVALID_LIMIT = (
        "invalid_limit",
        "the limit is a number of products, 1 to {most:count}; leave it empty for all there are",
    )
    NOT_SIMILAR_CATEGORIES = (
        "not_similar_categories",
        "this import lists no such pair of similar categories; open its page again",
    )
    INVALID_BELIEF = "invalid_belief", "choose a belief between 0 and 1"

    # Taxonomies: why a file is refused, and how its categories were tidied.
    CHOOSE_FILE = "choose_file", "choose a file with the categories"
    NOT_A_TAXONOMY = (
        "not_a_taxonomy",
        "no category can be read from it: give a table with a column of paths such as 'Home > Curtains', or with a "
        "column per level, a list in JSON, or the text of Google's or Shopify's taxonomy",
    )
    LISTINGS_NOT_TAXONOMY = (
        "listings_not_taxonomy",
        "this is a list of products ({rows:count} rows for {categories:count} categories), not of categories: "
        "'rayon import' reads it",
    )
    TOO_MANY_CATEGORIES = "too_many_categories", "a taxonomy may have at most {limit:count} categories here"
    CATEGORY_ROWS_LEFT_OUT = (
        *("category_rows_left_out", "{n} row was left out: row {row}: {problem}"),
        "{n} rows were left out, the first of them row {row}: {problem}",
    )
    CATEGORIES_REPEATED = (
        *("categories_repeated", "{n} category is listed several times and was added once: {examples:names}"),
        "{n} categories are listed several times and were added once: {examples:names}",
    )
    CATEGORIES_RESPELLED = (
        *("categories_respelled", "{n} category is spelled as the taxonomy has it: {examples:names}"),
        "{n} categories are spelled as the taxonomy has them: {examples:names}",
    )
    CATEGORIES_UNLISTED = (
        *("categories_unlisted", "{n} category of the taxonomy is not listed and stays: {examples:names}"),
        "{n} categories of the taxonomy are not listed and stay: {examples:names}",
    )
    PARENTS_UNKNOWN = "parents_unknown", "there is no row for the parent '{parent}'"

    # Everything without its own code: the text of a library, or of an unexpected error.
    OTHER = "other", "{text}"
