import type { BrowserPage } from '@holdfast/testing';

/** The least contrast of text to what is behind it. Source: WCAG 2.2, success criterion 1.4.3, level AA. */
const LEAST_CONTRAST = 4.5;

/** What a reader's aids go by, and how wide the page is. */
export function lookOf(page: BrowserPage): Promise<{ scrollWidth: number; tables: string[]; log: string }> {
  return page.evaluate(`({
    scrollWidth: document.documentElement.scrollWidth,
    tables: [...document.querySelectorAll('[role=table]')]
      .map((table) => document.getElementById(table.getAttribute('aria-labelledby')).textContent).sort(),
    log: document.querySelector('[role=log]').getAttribute('aria-live'),
  })`);
}

/** Texts that are too faint for what is behind them, with their contrast. */
export function contrastFlaws(page: BrowserPage): Promise<string[]> {
  return page.evaluate(`(() => {
    const canvas = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
    const pixel = (colour) => {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = colour;
      canvas.fillRect(0, 0, 1, 1);
      return canvas.getImageData(0, 0, 1, 1).data;
    };
    const luminance = (colour) => {
      const [r, g, b] = [...pixel(colour)].slice(0, 3).map((part) => part / 255)
        .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const behind = (node) => {
      const colour = getComputedStyle(node).backgroundColor;
      return pixel(colour)[3] > 0 || !node.parentElement ? colour : behind(node.parentElement);
    };
    const texts = [...document.querySelectorAll('body *')].filter((node) => node.checkVisibility() &&
      [...node.childNodes].some((child) => child.nodeType === 3 && child.textContent.trim() !== '') &&
      !['STYLE', 'SCRIPT'].includes(node.tagName));
    return texts.flatMap((node) => {
      const [one, other] = [luminance(getComputedStyle(node).color), luminance(behind(node))].sort((a, b) => b - a);
      const contrast = (one + 0.05) / (other + 0.05);
      return contrast < ${LEAST_CONTRAST} ? [node.textContent.slice(0, 40) + ': ' + contrast.toFixed(2)] : [];
    });
  })()`);
}

/** What can be pressed or filled in, as the browser tells screen readers of it, and has no name there. */
export async function namelessControls(page: BrowserPage): Promise<string[]> {
  await page.send('Accessibility.enable', {});
  const { nodes } = (await page.send('Accessibility.getFullAXTree', {})) as {
    nodes: { ignored: boolean; role?: { value: string }; name?: { value: string } }[];
  };
  const controls = new Set(['button', 'link', 'textbox', 'combobox', 'table', 'img', 'log']);
  const named = nodes.filter(({ ignored, role }) => !ignored && controls.has(role?.value ?? ''));
  if (named.length < 5) return [`only ${named.length} controls were found`];
  return named.filter(({ name }) => !name?.value).map(({ role }) => role!.value);
}
