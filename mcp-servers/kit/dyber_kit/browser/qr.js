// Runs in a page: returns the modules of the QR code in a picture as rows of 0 and 1; null when it shows no QR code.
async (source) => {
  const bytes = Uint8Array.from(atob(source.slice(source.indexOf("base64,") + 7)), (char) => char.charCodeAt(0));
  const bitmap = await createImageBitmap(new Blob([bytes]));
  const { width, height } = bitmap;
  if (width < 21 || height < 21 || width > 2000 || height > 2000) return null;
  const context = new OffscreenCanvas(width, height).getContext("2d");
  context.fillStyle = "white";
  context.fillRect(0, 0, width, height);
  context.drawImage(bitmap, 0, 0);
  const { data } = context.getImageData(0, 0, width, height);
  const dark = (x, y) => {
    const at = (y * width + x) * 4;
    return 0.3 * data[at] + 0.59 * data[at + 1] + 0.11 * data[at + 2] < 128;
  };
  let [left, right, top, bottom] = [width, -1, height, -1];
  for (let y = 0; y < height; y += 1) {
    for (let x = 0; x < width; x += 1) {
      if (!dark(x, y)) continue;
      left = Math.min(left, x); right = Math.max(right, x);
      top = Math.min(top, y); bottom = Math.max(bottom, y);
    }
  }
  // The upper edge begins with the edge of a finder pattern, seven modules wide.
  let edge = 0;
  while (left + edge <= right && dark(left + edge, top)) edge += 1;
  const size = Math.round((right - left + 1) / (edge / 7));
  if (size < 21 || size > 177 || (size - 21) % 4) return null;
  const [stepX, stepY] = [(right - left + 1) / size, (bottom - top + 1) / size];
  if (Math.abs(stepX - stepY) > stepX / 10) return null;
  const rows = [];
  for (let row = 0; row < size; row += 1) {
    let modules = "";
    for (let column = 0; column < size; column += 1) {
      const [x, y] = [left + (column + 0.5) * stepX, top + (row + 0.5) * stepY];
      modules += dark(Math.floor(x), Math.floor(y)) ? "1" : "0";
    }
    rows.push(modules);
  }
  const finder = ["1111111", "1000001", "1011101", "1011101", "1011101", "1000001", "1111111"];
  const hasFinder = (row, column) => finder.every((line, index) => rows[row + index].startsWith(line, column));
  return hasFinder(0, 0) && hasFinder(0, size - 7) && hasFinder(size - 7, 0) ? rows : null;
}
