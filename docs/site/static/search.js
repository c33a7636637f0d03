// The index is pagefind's, in parts, of which the browser fetches those that it needs.
const [form, words, found, results] =
  ["form", "#words", "#found", "#results"].map((each) => document.querySelector(each));
const pagefind = await import("../pagefind/pagefind.js");

async function show() {
  const search = words.value.trim() ? await pagefind.debouncedSearch(words.value, {}, 150) : { results: [] };
  if (!search) return; // the next letter is there already
  const pages = await Promise.all(search.results.slice(0, 12).map((each) => each.data()));
  found.textContent = !words.value.trim() ? "Type a word, such as timeout."
    : pages.length ? `${search.results.length === 1 ? "One page" : `${search.results.length} pages`}, the best first.`
    : "No page has these words.";
  results.replaceChildren(...pages.map(entry));
}

function entry(page) {
  const item = document.createElement("li");
  item.append(link(page.meta.title, page.url, "h2"));
  const parts = page.sub_results.filter((each) => each.title !== page.meta.title)
    .sort((one, other) => weight(other) - weight(one)).slice(0, 3);
  if (!parts.length) item.append(excerpt(page.excerpt));
  for (const part of parts) item.append(link(part.title, part.url, "h3"), excerpt(part.excerpt));
  return item;
}

// How much of what is looked for is in a part of a page: words in text count more than those in code.
const weight = (part) => part.weighted_locations.reduce((sum, each) => sum + each.balanced_score, 0);

function link(text, url, level) {
  const heading = document.createElement(level);
  const anchor = document.createElement("a");
  anchor.href = url;
  anchor.textContent = text;
  heading.append(anchor);
  return heading;
}

function excerpt(html) {
  const text = document.createElement("p");
  text.innerHTML = html; // pagefind's own: words of our pages, escaped, and <mark>
  return text;
}

words.value = new URLSearchParams(location.search).get("q") ?? "";
form.addEventListener("submit", (event) => { event.preventDefault(); show(); });
words.addEventListener("input", show);
words.focus();
show();
